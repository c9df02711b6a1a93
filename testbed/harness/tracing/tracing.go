// Package tracing runs spanprobe's engine in a test and keeps what it emits.
package tracing

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/offsets"
	"github.com/spanprobe/spanprobe/testbed/harness/await"
	"github.com/spanprobe/spanprobe/testbed/harness/spans"
)

// Patience is how long something may take that is no matter of speed here.
const Patience = 20 * time.Second

// readInterval is how often an engine under test looks for spans.
const readInterval = 50 * time.Millisecond

// Span is one span that came out.
type Span = spans.Span

// Tracer is an engine at work.
type Tracer struct {
	*engine.Engine

	mu    sync.Mutex
	spans []Span
}

// Start starts an engine. In-kernel tests need root; they fail without.
func Start(t testing.TB, config engine.Config) *Tracer {
	t.Helper()
	return StartWith(t, config, zaptest.NewLogger(t), nil)
}

// StartWith is Start with a logger of the test's own. Spans go to consume, and are kept where that
// is nil.
func StartWith(
	t testing.TB, config engine.Config, logger *zap.Logger,
	consume func(context.Context, ptrace.Traces) error,
) *Tracer {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test attaches probes, which needs root: `make test` asks for it")
	}
	tr := &Tracer{}
	if consume == nil {
		consume = tr.keep
	}
	config.ReadInterval = readInterval
	var err error
	tr.Engine, err = New(config, logger, consume, func(err error) { t.Logf("status: %v", err) })
	if err == nil {
		err = tr.Engine.Start(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return tr
}

// New makes an engine with all libraries, and with the receiver's defaults for what the
// configuration does not say.
func New(
	config engine.Config, logger *zap.Logger, consume func(context.Context, ptrace.Traces) error,
	status func(error),
) (*engine.Engine, error) {
	config.RingBufferSize = cmp.Or(config.RingBufferSize, 4<<20)
	config.MaxActiveSpans = cmp.Or(config.MaxActiveSpans, 16384)
	config.URLQuery = cmp.Or(config.URLQuery, engine.QueryRedact)
	config.Inject = cmp.Or(config.Inject, engine.InjectOff)
	config.Instrumented = cmp.Or(config.Instrumented, engine.InstrumentedSkip)
	return engine.New(config, engine.Settings{
		Logger:      logger,
		Libraries:   all.Libraries(),
		Tracepoints: all.Tracepoints,
		Offsets:     offsets.Default(),
		Version:     "test",
		Consume:     consume,
		Status:      status,
	})
}

func (tr *Tracer) keep(_ context.Context, traces ptrace.Traces) error {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.spans = append(tr.spans, spans.Of(traces)...)
	return nil
}

// Spans returns the spans that have come out so far.
func (tr *Tracer) Spans() []Span {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clone(tr.spans)
}

// Await waits until n spans have come out, and a little for more.
func (tr *Tracer) Await(t testing.TB, n int) []Span {
	t.Helper()
	Eventually(t, func() bool { return len(tr.Spans()) >= n }, "%d spans", n)
	// what is too much would come with the next look at the ring buffer
	time.Sleep(3 * readInterval)
	return tr.Spans()
}

// Settle waits until every operation that was begun has become a span or was counted, and
// returns the counters.
func (tr *Tracer) Settle(t testing.TB) engine.Stats {
	t.Helper()
	var stats engine.Stats
	Eventually(t, func() bool {
		stats = tr.MustStats(t)
		return stats.Active == 0 &&
			stats.Operations == stats.Emitted+stats.NotSampled+stats.Discarded+Lost(stats)
	}, "every operation to become a span or to be counted: %+v", &stats)
	return stats
}

// AwaitTracing waits until n processes are traced.
func (tr *Tracer) AwaitTracing(t testing.TB, n int) {
	t.Helper()
	all := func() bool { return tr.MustStats(t).Processes == n }
	Eventually(t, all, "%d processes being traced", n)
}

// MustStats returns the engine's counters.
func (tr *Tracer) MustStats(t testing.TB) engine.Stats {
	t.Helper()
	stats, err := tr.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return stats
}

// Lost adds up what was lost, over all reasons.
func Lost(stats engine.Stats) uint64 {
	var sum uint64
	for n := range maps.Values(stats.Lost) {
		sum += n
	}
	return sum
}

// Eventually waits until a condition holds, and fails the test if it never does.
func Eventually(t testing.TB, condition func() bool, what string, args ...any) {
	t.Helper()
	// Not the test's context, which has ended when what the test has left is cleaned up.
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if await.Until(ctx, func(context.Context) error {
		if !condition() {
			return errors.New("not yet")
		}
		return nil
	}) != nil {
		t.Fatalf("waited in vain for "+what, args...)
	}
}
