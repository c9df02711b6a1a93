package faults

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

const manyBinaries = 20

// binaries makes so many executables of one build, each a file of its own.
func binaries(t *testing.T, folder string, n int) []string {
	t.Helper()
	executable := target.MustCompile(t, target.Build{
		Source: build.Source, Go: build.Go,
		Flags: []string{target.Stripped},
	})
	paths := make([]string, n)
	for i := range paths {
		paths[i] = filepath.Join(folder, fmt.Sprintf("server-%02d", i))
		place(t, executable, paths[i])
	}
	return paths
}

// Every process that starts after its binary was first seen is traced from its
// first request to its last.
func TestProcessesThatComeAndGoLoseNoRequest(t *testing.T) {
	folder := t.TempDir()
	paths := binaries(t, folder, manyBinaries)
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{Exe: filepath.Join(folder,
		"*")}}, RingBufferSize: 16 << 20})
	for _, path := range paths {
		server := target.Start(t, path)
		defer func() {
			if err := server.Stop(); err != nil {
				t.Error(err)
			}
		}()
	}
	tracer.AwaitTracing(t, len(paths))

	const processes, requests, atATime = 200, 25, 4
	var next, served atomic.Int64
	var wg sync.WaitGroup
	for range atATime {
		wg.Go(func() {
			for next.Add(1) <= processes {
				server, err := target.Run(paths[rand.IntN(len(paths))])
				if err == nil {
					err = live(server, requests)
				}
				if err != nil {
					t.Error(err)
					continue
				}
				served.Add(requests)
			}
		})
	}
	wg.Wait()
	stats := tracer.Settle(t)
	if got := int64(len(tracer.Spans())); got != served.Load() || stats.Operations != uint64(got) {
		t.Errorf("%d spans of %d requests to %d processes: %+v", got, served.Load(), processes,
			stats)
	}
}

// The first process of a binary may be gone before its file was looked at.
func TestABinaryIsSeenThoughItsFirstProcessWasShort(t *testing.T) {
	folder := t.TempDir()
	paths := binaries(t, folder, manyBinaries)
	first, died := make(chan *target.Server), make(chan error, 1)
	noMore := sync.OnceFunc(func() { close(first) })
	logger := zaptest.NewLogger(t, zaptest.WrapOptions(zap.Hooks(func(entry zapcore.Entry) error {
		if entry.Message == "Examining the file of a target" {
			if server := <-first; server != nil {
				died <- server.Kill() // while whoever examines it waits
			}
		}
		return nil
	})))
	tracer := tracing.StartWith(t,
		engine.Config{Targets: []engine.Target{{Exe: filepath.Join(folder, "*")}}}, logger, nil)
	defer noMore() // whatever ends the test: nobody is left waiting
	const requests = 5
	for i, path := range paths {
		server, err := target.Run(path)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case first <- server:
		case <-time.After(tracing.Patience):
			t.Fatalf("%s is not examined", path)
		}
		if err := <-died; err != nil {
			t.Fatal(err)
		}
		tracing.Eventually(t, func() bool {
			return tracer.MustStats(t).Executables == i+1
		}, "%s being attached", path)
		second := target.Start(t, path) // and keeps the probes in
		for range requests {
			if err := second.Get("/hello/short"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if spans := len(tracer.Await(t, len(paths)*requests)); spans != len(paths)*requests {
		t.Errorf("%d spans of %d requests", spans, len(paths)*requests)
	}
}

// live has a process answer some requests and end.
func live(server *target.Server, requests int) error {
	for range requests {
		if err := server.Get("/hello/short"); err != nil {
			return fmt.Errorf("a target that is traced does not serve: %w", err)
		}
	}
	if err := server.Stop(); err != nil {
		return fmt.Errorf("a target that is traced does not end well: %w", err)
	}
	return nil
}

func TestAHundredProcessesThatStartAtOnceAreAllTraced(t *testing.T) {
	folder := t.TempDir()
	paths := binaries(t, folder, manyBinaries)
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{Exe: filepath.Join(folder,
		"*")}}})
	const processes = 100
	servers := make([]*target.Server, processes)
	began := time.Now()
	for i := range servers {
		servers[i] = target.Start(t, paths[i%len(paths)])
	}
	started := time.Since(began)
	tracer.AwaitTracing(t, processes)
	t.Logf("%d processes of %d binaries: started within %v, all traced %v after the first",
		processes, len(paths), started, time.Since(began))
	for _, server := range servers {
		if err := server.Get("/hello/all"); err != nil {
			t.Fatal(err)
		}
	}
	byProcess := map[any]int{}
	for _, span := range tracer.Await(t, processes) {
		byProcess[span.Resource["process.pid"]]++
	}
	for _, server := range servers {
		if byProcess[int64(server.PID)] != 1 {
			t.Errorf("%d spans of process %d's one request", byProcess[int64(server.PID)],
				server.PID)
		}
	}
}

// A file that is replaced, by rename or in place, while processes of it run and
// are traced: no process ever crashes.
func TestBinariesReplacedUnderLoadCrashNobody(t *testing.T) {
	builds := []string{target.MustCompile(t, build), target.MustCompile(t, another)}
	folder := t.TempDir()
	path := filepath.Join(folder, "server")
	place(t, builds[0], path)
	tracer := tracing.Start(t, engine.Config{
		Targets:        []engine.Target{{Exe: path}},
		RingBufferSize: 16 << 20,
	})
	stop := make(chan struct{})
	var replacing sync.WaitGroup
	// Held while the file is only half there, or open for writing: a process that
	// is started meanwhile inherits that until it runs its own program.
	var whole sync.Mutex
	renamed, rewritten := 0, 0
	replacing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			whole.Lock()
			err := rewrite(builds[i%2], path) // fails while a process runs it: text file busy
			if err == nil {
				rewritten++
			} else {
				renamed++
				if err = rewrite(builds[i%2], path+".new"); err == nil {
					err = os.Rename(path+".new", path)
				}
			}
			whole.Unlock()
			if err != nil {
				t.Error(err)
			}
		}
	})
	const processes, requests = 60, 20
	for range processes {
		whole.Lock()
		server, err := target.Run(path)
		whole.Unlock()
		if err == nil {
			err = live(server, requests)
		}
		if err != nil {
			t.Error(err)
		}
	}
	close(stop)
	replacing.Wait()
	tracer.Settle(t)
	t.Logf("rewritten %d times, replaced %d times", rewritten, renamed)
	if renamed == 0 {
		t.Error("nothing was replaced: the test shows nothing")
	}
}
