package e2e

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

// demanded are the capabilities that the receiver asks for.
var demanded = []uintptr{
	unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYS_PTRACE,
	unix.CAP_DAC_READ_SEARCH,
}

// only starts a program that can have no other capabilities than these.
func only(capabilities []uintptr) func(start func() error) error {
	return func(start func() error) error {
		started := make(chan error)
		go func() {
			// The thread, whose bounding set its children have, ends with the goroutine.
			runtime.LockOSThread()
			for c := range uintptr(unix.CAP_LAST_CAP + 1) {
				if slices.Contains(capabilities, c) {
					continue
				}
				if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
					started <- fmt.Errorf("drop capability %d: %w", c, err)
					return
				}
			}
			started <- start()
		}()
		return <-started
	}
}

// Without CAP_SYS_ADMIN, nothing can be written into requests, and that is all.
func TestTheCapabilitiesThatAreAskedForAreEnough(t *testing.T) {
	peer := target.Start(t, target.MustCompile(t,
		target.GRPC("testbed/targets/peer", "1.27.4", "1.85.0",
			target.Stripped)), "-folder", t.TempDir())
	addresses := peer.Addresses(t)
	backend := startSink(t)
	traced := targets(settings{"port": portOf(t, addresses["http ipv4"])})
	collector := runVia(t, only(demanded), configuration(traced, backend.Address()))
	traces(t, collector)

	const requests = 20
	var wants []tree.Want
	for protocol, listener := range map[string]string{"http1": "http ipv4", "unary": "grpc ipv4"} {
		order := fmt.Sprintf(
			`{"Name": %q, "Requests": %d, "AtOnce": 4, "Protocol": %[1]q, "Network": "tcp", "Address": %[3]q}`,
			protocol,
			requests,
			addresses[listener],
		)
		if answer := peer.Ask(t, order); answer != "[]" {
			t.Fatal(answer)
		}
		for i := range requests {
			path := fmt.Sprintf("/%s/%d", protocol, i)
			wants = append(wants, tree.Want{Name: tree.Called(path)},
				tree.Want{Name: tree.Served(path), Parent: tree.Called(path)})
		}
	}
	if err := collector.Stop(); err != nil {
		t.Fatalf("the collector did not end well: %v", err)
	}
	if report := tree.New(backend.Spans(), tree.Target).Compare("/", wants); !report.OK() {
		t.Error(report)
	}
	var said []string
	for line := range strings.Lines(log(t, collector)) {
		if strings.Contains(line, "carry no trace context") {
			said = append(said, line)
		}
	}
	if len(said) != 1 || !strings.Contains(said[0],
		"takes CAP_SYS_ADMIN, which the collector does not have") {
		t.Errorf("that requests carry no context, and why, is to be said once: %q", said)
	}
}

// Each of them is: without it, the collector says what it lacks, and does not start.
func TestACapabilityThatIsMissingIsNamed(t *testing.T) {
	for i, name := range []string{
		"CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE",
		"CAP_DAC_READ_SEARCH",
	} {
		t.Run(name, func(t *testing.T) {
			all := slices.Delete(slices.Clone(demanded), i, i+1)
			collector := runVia(t, only(all),
				configuration(targets(settings{"port": 1}), "127.0.0.1:1"))
			if err := collector.Wait(tracing.Patience); err == nil {
				t.Error("it started")
			}
			if text := log(t, collector); !strings.Contains(text,
				"missing capabilities: "+name+" ") {
				t.Errorf("the error does not name it:\n%s", text)
			}
		})
	}
}
