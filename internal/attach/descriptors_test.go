package attach

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// limitVariable has a test check the requirements under the limit that its parent set.
const limitVariable = "ATTACH_TEST_LIMIT"

func TestALimitOfOpenFilesThatIsTooLowIsRefused(t *testing.T) {
	if os.Getenv(limitVariable) != "" {
		fmt.Println("the error is:", CheckRequirements())
		return
	}
	for limits, want := range map[string]string{
		"ulimit -n 64":                  "may have 64 files open, and spanprobe needs at least 256",
		"ulimit -Hn 512; ulimit -Sn 64": "", // the soft limit was raised
	} {
		command := exec.Command("sh", "-c", limits+`; exec "$0" -test.run "^$1$"`,
			os.Args[0], t.Name())
		command.Env = append(os.Environ(), limitVariable+"=yes")
		output, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		refused := strings.Contains(string(output), "files open")
		if !strings.Contains(string(output), "the error is:") || refused != (want != "") ||
			!strings.Contains(string(output), want) {
			t.Errorf("%s: %s", limits, output)
		}
	}
}

func TestAnErrorForLackOfFilesSaysWhatToSet(t *testing.T) {
	for _, c := range []struct {
		err  error
		says string
	}{
		{fmt.Errorf("link: %w", unix.EMFILE), "LimitNOFILE="},
		{fmt.Errorf("link: %w", unix.ENFILE), "fs.file-max"},
		{errors.New("another"), "another"},
	} {
		got := ExplainDescriptors(c.err)
		if !errors.Is(got, c.err) || !strings.Contains(got.Error(), c.says) {
			t.Errorf("%v, want %q", got, c.says)
		}
	}
	if ExplainDescriptors(nil) != nil {
		t.Error("an error of nothing")
	}
}
