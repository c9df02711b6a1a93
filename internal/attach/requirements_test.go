package attach

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

func TestWhyProgramsMayNotWriteIsTold(t *testing.T) {
	const (
		all          = ^uint64(0)
		withoutAdmin = all &^ (1 << unix.CAP_SYS_ADMIN)
	)
	for name, c := range map[string]struct {
		attempt error
		held    uint64
		refusal string // part of it; "": there is none
		fails   bool
	}{
		"it was loaded": {nil, all, "", false},
		"it was loaded, whatever the capabilities":  {nil, withoutAdmin, "", false},
		"the helper is refused":                     {ebpf.ErrNotSupported, all, "locked down", false},
		"the helper is refused, with more words":    {fmt.Errorf("helper: %w", ebpf.ErrNotSupported), all, "locked down", false},
		"the program is refused":                    {unix.EPERM, all, "locked down", false},
		"the helper is refused without privileges":  {ebpf.ErrNotSupported, withoutAdmin, "CAP_SYS_ADMIN", false},
		"the program is refused without privileges": {fmt.Errorf("load: %w", unix.EPERM), withoutAdmin, "CAP_SYS_ADMIN", false},
		"nobody can tell":                           {errors.New("out of memory"), all, "", true},
		"nobody can tell, without privileges":       {unix.ENOMEM, withoutAdmin, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			refusal, err := refusalOfWrites(c.attempt, c.held)
			if (err != nil) != c.fails || c.fails && !errors.Is(err, c.attempt) {
				t.Errorf("error %v", err)
			}
			if (refusal == "") != (c.refusal == "") || !strings.Contains(refusal, c.refusal) {
				t.Errorf("the refusal is %q, want one that says %q", refusal, c.refusal)
			}
		})
	}
}

func TestAKernelThatIsLockedDownForConfidentialityIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		attempt error
		says    string // part of the error; "": there is none
	}{
		"it was loaded":                             {nil, ""},
		"without privileges":                        {fmt.Errorf("load: %w", unix.EPERM), ""},
		"the helper is refused":                     {ebpf.ErrNotSupported, "lockdown=integrity"},
		"the helper is refused, in another's words": {fmt.Errorf("load: %w", unix.EINVAL), "lockdown=integrity"},
		"nobody can tell":                           {unix.ENOMEM, "ask whether"},
	} {
		t.Run(name, func(t *testing.T) {
			err := confidential(c.attempt)
			if (err == nil) != (c.says == "") ||
				err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one that says %q", err, c.says)
			}
		})
	}
}

func TestTheCapabilitiesAreThoseThatTheStatusShows(t *testing.T) {
	status, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(status), "\nCapEff:\t")
	digits, _, _ := strings.Cut(line, "\n")
	want, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	if held, err := ownCapabilities(); err != nil || held != want {
		t.Errorf("%#x, the status shows %#x: %v", held, want, err)
	}
}

func TestTheKernelThatThisRunsOnIsNewEnough(t *testing.T) {
	if err := checkKernel(); err != nil {
		t.Error(err)
	}
}
