// Package instrumented tests what becomes of programs that trace themselves. It
// needs root.
package instrumented

import (
	"context"
	"maps"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/sink"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// The servers of the benchmark: one without tracing of its own, and the same with
// otelhttp and OpenTelemetry's SDK.
const (
	bare   = "bare"
	byHand = "byhand"
)

// build builds both into a folder, stripped, as what is deployed often is.
func build(t *testing.T) (folder string) {
	t.Helper()
	root, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	folder = t.TempDir()
	for _, name := range []string{bare, byHand} {
		// The tag byhand adds the SDK; no file has the other.
		command := exec.Command("go", "build", "-trimpath", "-tags="+name, target.Stripped, "-o",
			filepath.Join(folder, name), "./hello")
		command.Dir = filepath.Join(root, "testbed", "bench", "server")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	return folder
}

// emitted counts spans by their service. Safe for concurrent use.
type emitted struct {
	mu        sync.Mutex
	byService map[string]int
}

func (e *emitted) consume(_ context.Context, traces ptrace.Traces) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, resource := range traces.ResourceSpans().All() {
		service, _ := resource.Resource().Attributes().Get("service.name")
		for _, scope := range resource.ScopeSpans().All() {
			e.byService[service.Str()] += scope.Spans().Len()
		}
	}
	return nil
}

func (e *emitted) counts() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.byService)
}

// stage is the servers, a collector's place that gets what byHand says of itself,
// and a tracer of both.
type stage struct {
	folder string
	own    *sink.Sink
	spans  emitted
	logs   *observer.ObservedLogs
	tracer *tracing.Tracer
}

func set(t *testing.T, mode engine.InstrumentedMode) *stage {
	t.Helper()
	s := &stage{folder: build(t), spans: emitted{byService: map[string]int{}}}
	var err error
	if s.own, err = sink.Start(true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.own.Stop)
	var core zapcore.Core
	core, s.logs = observer.New(zap.InfoLevel)
	config := engine.Config{
		Targets:      []engine.Target{{Exe: filepath.Join(s.folder, "*")}},
		Instrumented: mode,
	}
	s.tracer = tracing.StartWith(t, config, zap.New(core), s.spans.consume)
	return s
}

func (s *stage) start(t *testing.T, name string) *target.Server {
	t.Helper()
	var arguments []string
	if name == byHand {
		arguments = []string{"-otlp", s.own.Address()}
	}
	return target.Start(t, filepath.Join(s.folder, name), arguments...)
}

const requests = 20

func ask(t *testing.T, server *target.Server) {
	t.Helper()
	for range requests {
		if err := server.Get("/hello/you"); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *stage) want(t *testing.T, spans map[string]int) {
	t.Helper()
	tracing.Eventually(t, func() bool {
		return cmp.Equal(spans, s.spans.counts())
	}, "the spans %v", spans)
	time.Sleep(200 * time.Millisecond) // what is too much would come now
	if diff := cmp.Diff(spans, s.spans.counts()); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

func TestAProgramThatContainsTheSDKIsLeftAlone(t *testing.T) {
	s := set(t, engine.InstrumentedSkip)
	one, two := s.start(t, byHand), s.start(t, byHand)
	plain := s.start(t, bare)
	s.tracer.AwaitTracing(t, 1)
	tracing.Eventually(t, func() bool {
		return s.tracer.MustStats(t).ExecutablesLeftAlone == 1
	}, "a program being left alone")
	for _, server := range []*target.Server{one, two, plain} {
		ask(t, server)
	}
	s.want(t, map[string]int{bare: requests})

	// Its file is known by now, whether anybody runs it or not.
	for _, server := range []*target.Server{one, two} {
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		again := s.start(t, byHand)
		ask(t, again)
		if err := again.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	s.want(t, map[string]int{bare: requests})
	stats := s.tracer.MustStats(t)
	if stats.ExecutablesLeftAlone != 1 || stats.AttachFailures != 0 || stats.Executables != 1 ||
		stats.Processes != 1 || stats.Operations != requests {
		t.Errorf("one program is left alone, and one is traced: %+v", stats)
	}
	lines := s.logs.FilterField(zap.String("exe", filepath.Join(s.folder, byHand))).All()
	if len(lines) != 1 || lines[0].Level != zap.InfoLevel ||
		lines[0].ContextMap()["symbol"] != "go.opentelemetry.io/otel/sdk/trace.NewTracerProvider" {
		t.Errorf("the log says of it: %v", lines)
	}
	if trouble := s.logs.FilterLevelExact(zap.WarnLevel).All(); len(trouble) != 0 {
		t.Errorf("the log warns: %v", trouble)
	}
	// Each process has exported what it had before it ended.
	if own := len(s.own.Spans()); own != 5*requests {
		t.Errorf("it has %d spans of its own, of %d requests", own, 5*requests)
	}
}

func TestAProgramThatContainsTheSDKIsTracedWhereThatIsAskedFor(t *testing.T) {
	s := set(t, engine.InstrumentedTrace)
	servers := []*target.Server{s.start(t, byHand), s.start(t, bare)}
	s.tracer.AwaitTracing(t, len(servers))
	for _, server := range servers {
		ask(t, server)
	}
	tracing.Eventually(t, func() bool {
		return s.spans.counts()[bare] == requests && s.spans.counts()[byHand] >= requests
	}, "spans of both")
	if stats := s.tracer.MustStats(t); stats.ExecutablesLeftAlone != 0 ||
		stats.AttachFailures != 0 ||
		stats.Executables != 2 {
		t.Errorf("both are traced: %+v", stats)
	}
}
