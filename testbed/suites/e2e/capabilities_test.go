package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/testbed/harness/sink"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

// demanded are the capabilities that the receiver asks for.
var demanded = []uintptr{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH}

// startWith starts a program that can have no other capabilities than these.
func startWith(capabilities []uintptr) func(*exec.Cmd) error {
	return func(command *exec.Cmd) error {
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
			started <- command.Start()
		}()
		return <-started
	}
}

// Without CAP_SYS_ADMIN, nothing can be written into requests, and that is all.
func TestTheCapabilitiesThatAreAskedForAreEnough(t *testing.T) {
	certificate, key := target.Certificate(t)
	peer := target.Start(t, target.MustCompile(t, target.GRPC("testbed/targets/connections", "1.27.4", "1.85.0", target.Stripped)), "-cert", certificate, "-key", key, "-folder", t.TempDir())
	var addresses map[string]string
	if err := json.Unmarshal([]byte(peer.Address), &addresses); err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(addresses["http ipv4"], ":")
	backend := startSink(t)
	collector := runBy(t, configuration("targets: [{port: "+port+"}]", backend.Address()), startWith(demanded))
	collector.tracing(t)

	const requests = 20
	var wants []tree.Want
	for protocol, listener := range map[string]string{"http1": "http ipv4", "unary": "grpc ipv4"} {
		order := fmt.Sprintf(`{"Name": %q, "Requests": %d, "AtOnce": 4, "Protocol": %[1]q, "Network": "tcp", "Address": %[3]q}`, protocol, requests, addresses[listener])
		if answer := peer.Ask(t, order); answer != "[]" {
			t.Fatal(answer)
		}
		for i := range requests {
			path := fmt.Sprintf("/%s/%d", protocol, i)
			wants = append(wants, tree.Want{Name: tree.Called(path)}, tree.Want{Name: tree.Served(path), Parent: tree.Called(path)})
		}
	}
	if err := collector.stop(); err != nil {
		t.Fatalf("the collector did not end well: %v", err)
	}
	if report := tree.New(arrived(backend), tree.Target).Compare("/", wants); !report.OK() {
		t.Error(report)
	}
	var said []string
	for line := range strings.Lines(collector.log.String()) {
		if strings.Contains(line, "carry no trace context") {
			said = append(said, line)
		}
	}
	if len(said) != 1 || !strings.Contains(said[0], "takes CAP_SYS_ADMIN, which the collector does not have") {
		t.Errorf("that requests carry no context, and why, is to be said once: %q", said)
	}
}

// Each of them is: without it, the collector says what it lacks, and does not start.
func TestACapabilityThatIsMissingIsNamed(t *testing.T) {
	for i, name := range []string{"CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"} {
		t.Run(name, func(t *testing.T) {
			all := slices.Delete(slices.Clone(demanded), i, i+1)
			collector := runBy(t, configuration("targets: [{port: 1}]", "127.0.0.1:1"), startWith(all))
			if err := collector.wait(); err == nil {
				t.Error("it started")
			}
			if text := collector.log.String(); !strings.Contains(text, "missing capabilities: "+name+" ") {
				t.Errorf("the error does not name it:\n%s", text)
			}
		})
	}
}

// arrived are the spans of a sink, as those of an engine under test.
func arrived(s *sink.Sink) []tracing.Span {
	var spans []tracing.Span
	for _, one := range s.Spans() {
		spans = append(spans, tracing.Span{Resource: one.Resource, Scope: one.Scope, Span: one.Span})
	}
	return spans
}
