package hostile

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/process"
	"github.com/spanprobe/spanprobe/testbed/harness/spans"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

const (
	// mostMemory is how many bytes more the collector may have resident than before an attack.
	mostMemory = 96 << 20
	// mostShutdown is generous: each attack logs how long the shutdown took.
	mostShutdown = 5 * time.Second
)

// scene is an attack beside a quiet server. Both are traced.
type scene struct {
	folder string // of the attacker, an unprivileged user; its executables are targets
	tracer *tracing.Tracer

	manyProbes bool // which the kernel takes out one after the other

	mu    sync.Mutex
	spans map[int64]int  // by process
	lines map[string]int // of the log, by message
}

// beside expects that an attack takes nothing from a quiet server, and that it costs a bounded
// share of the machine. The attack may return when it has begun: it goes on until the test ends.
func beside(t *testing.T, attack func(*testing.T, *scene)) {
	t.Helper()
	s := &scene{folder: nobodysFolder(t), spans: map[int64]int{}, lines: map[string]int{}}
	executable := target.MustCompile(t, quiet)
	server := target.Start(t, executable)
	s.tracer = tracing.StartWith(t, engine.Config{
		Targets: []engine.Target{{Exe: s.folder + "/**"}, {Exe: executable}},
	}, s.logger(), s.consume)
	s.tracer.AwaitTracing(t, 1)

	before, began := usage(t), time.Now()
	requests := askUntil(t, server)
	attack(t, s)
	time.Sleep(time.Second)
	later := target.Start(t, executable)
	if err := later.Get("/hello/later"); err != nil {
		t.Error(err)
	}
	n := requests()
	s.await(t, server, n)
	s.await(t, later, 1)

	after, took := usage(t), time.Since(began)
	cpu := time.Duration((after.cpu - before.cpu) * float64(time.Second))
	// Two inspections go on at a time.
	if cpu > 2*took {
		t.Errorf("in %v, it used %v of the processors", took, cpu)
	}
	if more := after.resident - before.resident; more > mostMemory {
		t.Errorf("%d MB more are resident, of which %d are the most", more>>20, mostMemory>>20)
	}
	began = time.Now()
	inTime(t, "the shutdown", func() {
		if err := s.tracer.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	shutdown := time.Since(began)
	if shutdown > mostShutdown && !s.manyProbes {
		t.Errorf("the shutdown took %v", shutdown)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Logf("%d requests in %v; %v of the processors, %d MB more resident; a shutdown in %v; "+
		"lines of the log: %v", n, took, cpu, (after.resident-before.resident)>>20, shutdown, s.lines)
}

// nobodysFolder is a folder of an unprivileged user's, which goes with the test.
func nobodysFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "spanprobe-hostile-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chown(folder, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	return folder
}

// logger counts lines: an attack has too many to be kept.
func (s *scene) logger() *zap.Logger {
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	core := zapcore.NewCore(encoder, zapcore.AddSync(io.Discard), zap.InfoLevel)
	return zap.New(core, zap.Hooks(func(line zapcore.Entry) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.lines[line.Message]++
		return nil
	}))
}

// logged waits until the log has so many lines with a message.
func (s *scene) logged(t *testing.T, message string, n int) {
	t.Helper()
	tracing.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.lines[message] >= n
	}, "%d lines %q: there are %v", n, message, s.lines)
}

func (s *scene) consume(_ context.Context, traces ptrace.Traces) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, span := range spans.Of(traces) {
		pid, _ := span.Resource["process.pid"].(int64)
		s.spans[pid]++
	}
	return nil
}

// await waits for all spans of a process.
func (s *scene) await(t *testing.T, server *target.Server, n int) {
	t.Helper()
	tracing.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.spans[int64(server.PID)] == n
	}, "%d spans of process %d: there are %v", n, server.PID, s.spans)
}

// askUntil sends requests to a server until the result is called, which says how many there were.
func askUntil(t *testing.T, server *target.Server) (ends func() int) {
	stop, done, n := make(chan struct{}), make(chan struct{}), 0
	go func() {
		defer close(done)
		for pace := time.NewTicker(10 * time.Millisecond); ; <-pace.C {
			select {
			case <-stop:
				return
			default:
			}
			if err := server.Get("/hello/quiet"); err != nil {
				t.Error(err)
				return
			}
			n++
		}
	}()
	end := sync.OnceFunc(func() { close(stop) })
	t.Cleanup(end)
	return func() int {
		end()
		<-done
		return n
	}
}

// used is what the process of the collector, which is the test's, has used.
type used struct {
	resident int     // bytes, after a garbage collection
	cpu      float64 // seconds
}

func usage(t *testing.T) used {
	t.Helper()
	debug.FreeOSMemory() // collects garbage first
	self, err := procfs.Self()
	if err != nil {
		t.Fatal(err)
	}
	stat, err := self.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return used{stat.ResidentMemory(), stat.CPUTime()}
}

// place puts an executable into the attacker's folder.
func (s *scene) place(t *testing.T, name string, contents []byte) string {
	t.Helper()
	path := filepath.Join(s.folder, name)
	if err := os.WriteFile(path, contents, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	return path
}

// flooder puts the flooder there.
func (s *scene) flooder(t *testing.T) string {
	t.Helper()
	program, err := os.ReadFile(target.MustCompile(t, flooder))
	if err != nil {
		t.Fatal(err)
	}
	return s.place(t, "target", program)
}

// script has a shell run a script in the attacker's folder until the test ends.
func (s *scene) script(t *testing.T, lines ...string) {
	t.Helper()
	s.run(t, asNobody(exec.Command("sh", "-c", strings.Join(lines, "\n"))))
}

// run runs a command in the attacker's folder until the test ends.
func (s *scene) run(t *testing.T, command *exec.Cmd) {
	t.Helper()
	command.Dir = s.folder
	running, err := process.Start(command, process.Options{Name: fmt.Sprint(command.Args)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.Kill(); err != nil {
			t.Error(err)
		}
	})
}
