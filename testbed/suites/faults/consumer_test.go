package faults

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap/zaptest"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// blockade is a consumer that takes nothing until it is lifted, or told to give up.
type blockade struct {
	lifted  chan struct{}
	reached chan struct{} // closed when the first spans have come
	once    sync.Once
	spans   atomic.Int64
}

func newBlockade() *blockade {
	return &blockade{lifted: make(chan struct{}), reached: make(chan struct{})}
}

func (b *blockade) consume(ctx context.Context, traces ptrace.Traces) error {
	b.once.Do(func() { close(b.reached) })
	select {
	case <-b.lifted:
		b.spans.Add(int64(traces.SpanCount()))
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// trace traces a server, whose spans go to the blockade.
func (b *blockade) trace(t *testing.T) (*target.Server, *tracing.Tracer) {
	t.Helper()
	server := target.Start(t, target.MustCompile(t, build))
	tracer := tracing.StartWith(t, engine.Config{
		Targets: []engine.Target{{PID: server.PID}},
	}, zaptest.NewLogger(t), b.consume)
	tracer.AwaitTracing(t, 1)
	return server, tracer
}

func TestWhatASlowConsumerHoldsUpIsKnownAfterItsProcessHasEnded(t *testing.T) {
	slow := newBlockade()
	server, tracer := slow.trace(t)
	const requests = 200
	for i := range requests {
		if err := server.Get("/hello/slow"); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			<-slow.reached // the others wait in the ring buffer
		}
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	tracer.AwaitTracing(t, 0)
	// Longer than the engine remembers a process without reason.
	time.Sleep(8 * time.Second)
	close(slow.lifted)
	stats := tracer.Settle(t)
	if slow.spans.Load() != requests || tracing.Lost(stats) != 0 {
		t.Errorf("%d requests: %d spans came out: %+v", requests, slow.spans.Load(), stats)
	}
}

func TestAShutdownGivesABlockedConsumerAMomentAndCountsTheRest(t *testing.T) {
	blocked := newBlockade()
	server, tracer := blocked.trace(t)
	if err := server.Get("/hello/first"); err != nil {
		t.Fatal(err)
	}
	<-blocked.reached
	const more = 1500 // more than one batch
	loading, stop := context.WithCancel(t.Context())
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		server.Load(loading, t, 4, "/hello/more")
	}()
	tracing.Eventually(t, func() bool {
		return tracer.MustStats(t).Operations > more
	}, "%d requests", more)
	stop()
	<-loaded
	ended := make(chan error, 1)
	go func() { ended <- tracer.Shutdown(context.Background()) }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(tracing.Patience):
		close(blocked.lifted)
		t.Fatal("the shutdown waits for the consumer")
	}
	stats := tracer.MustStats(t)
	if stats.Emitted != 0 || stats.Lost[engine.LostRefused] != stats.Operations {
		t.Errorf("the consumer took nothing: %+v", stats)
	}
}
