package hostile

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/attach"
	"github.com/spanprobe/spanprobe/internal/ring"
	"github.com/spanprobe/spanprobe/internal/wire"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// events are what the kernel reports of processes.
type events struct {
	kernel *attach.Kernel

	mu   sync.Mutex
	seen []wire.Event
}

// loadEvents has the kernel report until the test ends. Nobody reads that yet.
func loadEvents(t *testing.T) *events {
	t.Helper()
	kernel, err := attach.Load(all.Tracepoints, nil, attach.Options{
		RingBufferSize: 1 << 20, MaxActive: 64, MaxBinaries: 1, Listen: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kernel.Close(); err != nil {
			t.Error(err)
		}
	})
	return &events{kernel: kernel}
}

// read reads the events until the test ends.
func (e *events) read(t *testing.T) {
	t.Helper()
	reader, err := ring.New(e.kernel.Events())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- reader.Run(10*time.Millisecond, func(record []byte) {
			event, err := wire.ParseEvent(record)
			if err != nil {
				t.Error(err)
			}
			e.mu.Lock()
			defer e.mu.Unlock()
			e.seen = append(e.seen, event)
		}, func() {})
	}()
	t.Cleanup(func() {
		if err := reader.Stop(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// starts are when a process started, by the kind of each event of it, in ticks of the clock.
func (e *events) starts(pid int) map[wire.EventKind]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	starts := map[wire.EventKind]string{}
	for _, event := range e.seen {
		if int(event.Tgid) == pid {
			starts[event.Kind] = fmt.Sprint(event.Start / 10_000_000)
		}
	}
	return starts
}

// A process id comes again. Discovery tells the processes apart by when they started.
func TestAnEventSaysWhenItsProcessStartedAsProcDoes(t *testing.T) {
	executable := target.MustCompile(t, quiet)
	e := loadEvents(t)
	e.read(t)
	server := target.Start(t, executable)
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", server.PID))
	if err != nil {
		t.Fatal(err)
	}
	_, fields, _ := strings.Cut(string(stat), ") ")
	started := strings.Fields(fields)[22-3]
	if _, err := e.kernel.Trace(server.PID, wire.Process{Generation: 1}); err != nil {
		t.Fatal(err)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	tracing.Eventually(t, func() bool { return len(e.starts(server.PID)) == 3 },
		"an exec, a listen and an exit of the server: %v", e.starts(server.PID))
	for kind, start := range e.starts(server.PID) {
		if start != started {
			t.Errorf("event of kind %d: the process started at %s, and at %s says /proc",
				kind, start, started)
		}
	}
}
