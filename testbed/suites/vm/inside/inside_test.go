//go:build vm

// Package inside tests what is so in certain machines only.
package inside

import (
	"context"
	"os"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap/zaptest"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/offsets"
)

func TestAKernelThatIsTooOldIsRefusedWithTheReason(t *testing.T) {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	refused(t, "kernel "+strings.TrimSpace(string(release))+
		" is too old: spanprobe needs Linux 6.1 or newer")
}

func TestAKernelThatIsLockedDownForConfidentialityIsRefusedWithTheReason(t *testing.T) {
	contains(t, "/sys/kernel/security/lockdown", "[confidentiality]")
	refused(t, "the kernel is locked down for confidentiality, "+
		"and keeps eBPF programs from reading memory: "+
		"boot it with lockdown=integrity, which is what Secure Boot asks for")
}

// refused expects that nothing starts, with this reason.
func refused(t *testing.T, reason string) {
	t.Helper()
	e, err := engine.New(engine.Config{
		Targets:        []engine.Target{{Exe: "/**"}},
		URLQuery:       engine.QueryRedact,
		Inject:         engine.InjectOff,
		Instrumented:   engine.InstrumentedSkip,
		RingBufferSize: 4 << 20,
		MaxActiveSpans: 16384,
	}, engine.Settings{
		Logger:      zaptest.NewLogger(t),
		Libraries:   all.Libraries(),
		Tracepoints: all.Tracepoints,
		Offsets:     offsets.Default(),
		Version:     "test",
		Consume:     func(context.Context, ptrace.Traces) error { return nil },
		Status:      func(err error) { t.Errorf("status: %v", err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err == nil {
		t.Error("the engine starts")
	} else if want := "spanprobe cannot run here: " + reason; err.Error() != want {
		t.Errorf("the reason is %q, not %q", err, want)
	}
	if err := e.Shutdown(context.Background()); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

// The kernel's sched_dynamic_show (kernel/sched/debug.c, 6.18) puts parentheses
// around the model of preemption that it follows.
func TestTheKernelIsFullyPreemptible(t *testing.T) {
	contains(t, "/sys/kernel/debug/sched/preempt", "(full)")
}

// The kernel's lockdown_read (security/lockdown/lockdown.c) puts brackets around
// the level that is in force.
func TestTheKernelIsLockedDown(t *testing.T) {
	contains(t, "/sys/kernel/security/lockdown", "[integrity]")
}

func contains(t *testing.T, path, part string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), part) {
		t.Errorf("%s says %q, not %s", path, content, part)
	}
}
