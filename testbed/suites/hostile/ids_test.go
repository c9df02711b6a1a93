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

// A process id comes again. Discovery tells the processes apart by when they started.
func TestAnEventSaysWhenItsProcessStartedAsProcDoes(t *testing.T) {
	kernel, err := attach.Load(all.Tracepoints, nil, attach.Options{
		RingBufferSize: 1 << 20, MaxActive: 64, MaxBinaries: 1, Listen: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := kernel.Close(); err != nil {
			t.Error(err)
		}
	}()
	reader, err := ring.New(kernel.Events())
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var events []wire.Event
	done := make(chan error, 1)
	go func() {
		done <- reader.Run(10*time.Millisecond, func(record []byte) {
			event, err := wire.ParseEvent(record)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			events = append(events, event)
		}, func() {})
	}()

	server := target.Start(t, target.MustCompile(t, quiet))
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", server.PID))
	if err != nil {
		t.Fatal(err)
	}
	_, fields, _ := strings.Cut(string(stat), ") ")
	started := strings.Fields(fields)[22-3]
	if _, err := kernel.Trace(server.PID, wire.Process{Generation: 1}); err != nil {
		t.Fatal(err)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	starts := map[wire.EventKind]string{}
	tracing.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		for _, event := range events {
			if int(event.Tgid) == server.PID {
				starts[event.Kind] = fmt.Sprint(event.Start / 10_000_000)
			}
		}
		return len(starts) == 3
	}, "an exec, a listen and an exit of the server: %v", &starts)
	for kind, start := range starts {
		if start != started {
			t.Errorf("event of kind %d: the process started at %s, and at %s says /proc",
				kind, start, started)
		}
	}
	if err := reader.Stop(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
