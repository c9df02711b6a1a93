// Package faults tests what happens when things go wrong: loss, crashes,
// restarts, files that are rewritten under the probes. It needs root.
package faults

import (
	"context"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

var build = target.Build{Source: "testbed/targets/nethttp", Go: "1.26.8"}

// load runs a load for a while.
func load(t *testing.T, server *target.Server, connections int, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	server.Load(ctx, t, connections, "/hello/load")
}

func TestWhatAnOverrunRingBufferLosesIsCounted(t *testing.T) {
	executable := target.MustCompile(t, build)
	server := target.Start(t, executable)
	tracer := tracing.Start(t, engine.Config{
		Targets:        []engine.Target{{PID: server.PID}},
		RingBufferSize: 4096,
	})
	tracer.AwaitTracing(t, 1)
	loading, stop := context.WithCancel(context.Background())
	defer stop()
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		server.Load(loading, t, 8, "/hello/load")
	}()
	tracing.Eventually(t, func() bool {
		return tracer.MustStats(t).Lost[engine.LostRingBufferFull] > 0
	}, "a ring buffer of 4096 bytes to lose something")
	stop()
	<-loaded
	stats := tracer.Settle(t)
	if served := server.Served(t); stats.Operations != uint64(served) {
		t.Errorf("%d requests reached a handler, %d were seen", served, stats.Operations)
	}
	if stats.Emitted != uint64(len(tracer.Spans())) || stats.Emitted == 0 {
		t.Errorf("%d spans came out, %d were counted", len(tracer.Spans()), stats.Emitted)
	}
	t.Logf("%d requests, %d spans, %d lost to the full ring buffer", stats.Operations,
		stats.Emitted, stats.Lost[engine.LostRingBufferFull])
}

func TestWhatTooManyInFlightLoseIsCounted(t *testing.T) {
	executable := target.MustCompile(t, build)
	server := target.Start(t, executable)
	tracer := tracing.Start(t, engine.Config{
		Targets:        []engine.Target{{PID: server.PID}},
		MaxActiveSpans: 10,
	})
	tracer.AwaitTracing(t, 1)
	const requests = 50
	done := make(chan error, requests)
	for range requests {
		go func() { done <- server.Get("/slow?for=2s") }()
	}
	for range requests {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	stats := tracer.Settle(t)
	if stats.Operations != requests || stats.Lost[engine.LostActiveSpansFull] == 0 ||
		stats.Emitted+stats.Lost[engine.LostActiveSpansFull] != requests {
		t.Errorf("%d requests at once, with room for 10: %+v", requests, stats)
	}
}

func TestATargetKilledUnderLoadIsCountedAndItsSuccessorTraced(t *testing.T) {
	executable := target.MustCompile(t, build)
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{Exe: executable}}})
	server := target.Start(t, executable)
	tracer.AwaitTracing(t, 1)
	loading, stop := context.WithCancel(context.Background())
	defer stop()
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		server.Load(loading, t, 20, "/slow?for=200ms")
	}()
	tracing.Eventually(t, func() bool {
		return len(tracer.Spans()) > 50 && tracer.MustStats(t).Active > 0
	}, "spans of the load, and requests in flight")
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	stop()
	<-loaded
	stats := tracer.Settle(t)
	if stats.Lost[engine.LostUnfinished] == 0 || stats.Emitted == 0 {
		t.Errorf("requests that were in flight when the target was killed are counted: %+v", stats)
	}

	before := len(tracer.Spans())
	successor := target.Start(t, executable)
	if err := successor.Get("/hello/again"); err != nil {
		t.Fatal(err)
	}
	spans := tracer.Await(t, before+1)
	if len(spans) != before+1 {
		t.Fatalf("%d spans of one request to the successor", len(spans)-before)
	}
	if got := spans[before].Resource["process.pid"]; got != int64(successor.PID) {
		t.Errorf("the span is of process %v, the successor is %d", got, successor.PID)
	}
}

func TestARestartedTargetIsTracedFromItsFirstRequest(t *testing.T) {
	executable := target.MustCompile(t, build)
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{Exe: executable}}})
	first := target.Start(t, executable)
	tracer.AwaitTracing(t, 1)
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	const restarts = 10
	for range restarts {
		serveOne(t, executable)
	}
	stats := tracer.Settle(t)
	if stats.Operations != restarts || stats.Emitted != restarts {
		t.Errorf("%d processes served one request each: %+v", restarts, stats)
	}
}

func TestTwoTracersOfOneProcessDoNotDisturbEachOther(t *testing.T) {
	executable := target.MustCompile(t, build)
	server := target.Start(t, executable)
	tracers := []*tracing.Tracer{
		tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}}),
		tracing.Start(t, engine.Config{Targets: []engine.Target{{Exe: executable}}}),
	}
	for _, tracer := range tracers {
		tracer.AwaitTracing(t, 1)
	}
	load(t, server, 4, time.Second)
	served := uint64(server.Served(t))
	for i, tracer := range tracers {
		if stats := tracer.Settle(t); stats.Emitted != served {
			t.Errorf("tracer %d: %d requests: %+v", i, served, stats)
		}
	}
}

func TestAFileIsAdoptedWhateverEntryCameFirst(t *testing.T) {
	executable := target.MustCompile(t, build)
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{
		{Port: 1},
		{Exe: executable},
	}})
	first := target.Start(t, executable)
	tracer.AwaitTracing(t, 1)
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	const restarts = 10
	for range restarts {
		serveOne(t, executable)
	}
	if stats := tracer.Settle(t); stats.Emitted != restarts {
		t.Errorf("%d processes served one request each: %+v", restarts, stats)
	}
}
