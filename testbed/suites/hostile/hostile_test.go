// Package hostile tests that a process of an unprivileged user takes nothing from the traces of
// another, whatever it does. It needs root.
package hostile

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap/zaptest"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/internal/wire"
	"github.com/spanprobe/spanprobe/testbed/harness/spans"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// nobody is a user without any privileges.
const nobody = 65534

var (
	quiet   = target.Build{Source: "testbed/targets/nethttp", Go: "1.26.8"}
	flooder = target.Build{Source: "testbed/targets/flooder", Go: "1.26.8"}
)

// startAsNobody runs a program as an unprivileged user.
func startAsNobody(t *testing.T, build target.Build) *target.Server {
	t.Helper()
	return target.StartCommand(t, asNobody(exec.Command(copyForNobody(t, build))), nil)
}

// asNobody has a command run as an unprivileged user.
func asNobody(command *exec.Cmd) *exec.Cmd {
	command.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: nobody, Gid: nobody},
	}
	return command
}

// copyForNobody makes a copy of a program that an unprivileged user may run, who may not enter the
// folder of the programs.
func copyForNobody(t *testing.T, build target.Build) string {
	t.Helper()
	program, err := os.ReadFile(target.MustCompile(t, build))
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "spanprobe-hostile-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	executable := filepath.Join(folder, "target")
	if err := os.WriteFile(executable, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return executable
}

// traceBoth traces a quiet server and processes of nobody.
func traceBoth(
	t *testing.T, config engine.Config, flooders ...*target.Server,
) (*target.Server, *tracing.Tracer) {
	t.Helper()
	server := target.Start(t, target.MustCompile(t, quiet))
	config.Targets = []engine.Target{{PID: server.PID, ServiceName: "quiet"}}
	for _, f := range flooders {
		config.Targets = append(config.Targets, engine.Target{PID: f.PID, ServiceName: "flooder"})
	}
	tracer := tracing.Start(t, config)
	tracer.AwaitTracing(t, 1+len(flooders))
	return server, tracer
}

// awaitSpansOf waits for all spans of a process.
func awaitSpansOf(t *testing.T, tracer *tracing.Tracer, server *target.Server, n int) {
	t.Helper()
	come := func() (found int) {
		for _, span := range tracer.Spans() {
			if span.Resource["process.pid"] == int64(server.PID) {
				found++
			}
		}
		return found
	}
	tracing.Eventually(t, func() bool { return come() == n },
		"the %d spans of the quiet server, beside those of others", n)
}

// await waits until the count that a flooder says is as large.
func await(t *testing.T, f *target.Server, n int) {
	t.Helper()
	tracing.Eventually(t, func() bool {
		count, err := strconv.Atoi(f.Ask(t, "count 0"))
		return err == nil && count >= n
	}, "%d requests of the flooder", n)
}

func TestAServerThatHoldsRequestsTakesNoRoomFromAnother(t *testing.T) {
	flooder := startAsNobody(t, flooder)
	server, tracer := traceBoth(t, engine.Config{MaxActiveSpans: 16384}, flooder)
	const held, requests = 30000, 400
	flooder.Ask(t, "hold "+strconv.Itoa(held))
	await(t, flooder, held)
	for range requests {
		if err := server.Get("/hello/quiet"); err != nil {
			t.Fatal(err)
		}
	}
	awaitSpansOf(t, tracer, server, requests)
	stats := tracer.MustStats(t)
	lost := stats.Lost[engine.LostActiveSpansFull]
	if lost == 0 || lost > held-16384 {
		t.Errorf("of %d requests that one process holds, %d are lost", held, lost)
	}
	for service, want := range map[string]uint64{"flooder": lost, "quiet": 0, "": 0} {
		n := stats.LostOf[wire.Loss{Service: service, Reason: engine.LostActiveSpansFull}]
		if n != want {
			t.Errorf("%d are lost of %q, not %d", n, service, want)
		}
	}

	flooder.Ask(t, "stop")
	tracer.Settle(t)
	awaitNothingCounted(t)
}

// The reader is behind, as with an exporter that is slow, while a process sends all that it can.
func TestAServerThatFloodsTheRingBufferTakesNoRoomFromAnother(t *testing.T) {
	const requests = 400
	flooder := startAsNobody(t, flooder)
	server := target.Start(t, target.MustCompile(t, quiet))
	caughtUp := make(chan struct{})
	var ofServer atomic.Int64
	tracer := tracing.StartWith(t, engine.Config{
		Targets: []engine.Target{
			{PID: server.PID, ServiceName: "quiet"}, {PID: flooder.PID, ServiceName: "flooder"},
		},
	}, zaptest.NewLogger(t), func(ctx context.Context, traces ptrace.Traces) error {
		select {
		case <-caughtUp:
		case <-ctx.Done():
		}
		for _, span := range spans.Of(traces) {
			if span.Resource["process.pid"] == int64(server.PID) {
				ofServer.Add(1)
			}
		}
		return nil
	})
	tracer.AwaitTracing(t, 2)
	flooder.Ask(t, "answer 8")
	tracing.Eventually(t, func() bool {
		return tracer.MustStats(t).Lost[engine.LostRingBufferFull] > 0
	}, "the flooder to lose something")
	for range requests {
		if err := server.Get("/hello/quiet"); err != nil {
			t.Fatal(err)
		}
	}
	flooder.Ask(t, "stop")
	close(caughtUp)
	tracing.Eventually(t, func() bool { return ofServer.Load() == requests },
		"the %d spans of the quiet server, beside those of others", requests)
	stats := tracer.Settle(t)
	for service, want := range map[string]uint64{
		"flooder": stats.Lost[engine.LostRingBufferFull], "quiet": 0, "": 0,
	} {
		n := stats.LostOf[wire.Loss{Service: service, Reason: engine.LostRingBufferFull}]
		if n != want {
			t.Errorf("%d are lost of %q, not %d", n, service, want)
		}
	}
}

// What the programs and the sweeper release counts no more, for its process and in the pool.
func TestRoomIsThereAgainAfterTheEndOfOperationsAndOfProcesses(t *testing.T) {
	const held = 16384
	flooders := []*target.Server{startAsNobody(t, flooder), startAsNobody(t, flooder)}
	_, tracer := traceBoth(t, engine.Config{MaxActiveSpans: held}, flooders...)
	lost := func() uint64 { return tracer.MustStats(t).Lost[engine.LostActiveSpansFull] }

	flooders[0].Ask(t, "hold "+strconv.Itoa(held))
	await(t, flooders[0], held)
	if n := lost(); n != 0 {
		t.Errorf("of %d requests at once, %d are lost", held, n)
	}
	flooders[0].Ask(t, "stop")
	tracer.Settle(t)
	awaitNothingCounted(t)

	flooders[1].Ask(t, "hold "+strconv.Itoa(held))
	await(t, flooders[1], held)
	if n := lost(); n != 0 {
		t.Errorf("of %d requests at once, after the end of as many, %d are lost", held, n)
	}
	if err := flooders[1].Kill(); err != nil {
		t.Fatal(err)
	}
	if stats := tracer.Settle(t); stats.Lost[engine.LostUnfinished] != held {
		t.Errorf("%d requests of a process that was killed: %v", held, stats.Lost)
	}
	awaitNothingCounted(t)
}

// awaitNothingCounted waits until the tables in the kernel count nothing that is in flight.
func awaitNothingCounted(t *testing.T) {
	t.Helper()
	var counted uint64
	tracing.Eventually(t, func() bool {
		counted = 0
		tables := 0
		for id, err := ebpf.MapGetNextID(0); err == nil; id, err = ebpf.MapGetNextID(id) {
			table, err := ebpf.NewMapFromID(id)
			if err != nil {
				continue // it is gone
			}
			if info, err := table.Info(); err == nil &&
				(info.Name == wire.MapInFlight || info.Name == wire.MapBeyond) {
				tables++
				counted += sum(t, table)
			}
			table.Close()
		}
		return tables > 0 && counted == 0
	}, "the tables to count nothing: %d", &counted)
}

func sum(t *testing.T, table *ebpf.Map) (sum uint64) {
	t.Helper()
	var place uint32
	var n uint64
	entries := table.Iterate()
	for entries.Next(&place, &n) {
		sum += n
	}
	if err := entries.Err(); err != nil {
		t.Fatal(err)
	}
	return sum
}
