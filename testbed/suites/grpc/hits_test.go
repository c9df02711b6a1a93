package grpc

import (
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// docs/benchmarks.md, "How often probes are hit", says so.
func TestEachCallHitsAsManyProbesAsItIsSaidToCost(t *testing.T) {
	const calls = 20
	for _, p := range pairs() {
		t.Run(p.build(serverSource).String(), func(t *testing.T) {
			server := target.Start(t, target.MustCompile(t, p.build(serverSource)), "-unknown")
			caller := target.Start(t, target.MustCompile(t, p.build(callerSource)))
			for _, end := range []struct {
				name string
				pid  int
				hits uint64
			}{{"server", server.PID, 2}, {"client", caller.PID, 4}} {
				t.Run(end.name, func(t *testing.T) {
					tracer := tracing.Start(t,
						engine.Config{Targets: []engine.Target{{PID: end.pid}}})
					tracer.AwaitTracing(t, 1)
					o := order{
						Target: server.Address, Kind: "unary", Method: numbered,
						Many: many{Goroutines: 1, Calls: calls, Connections: 1},
					}
					if outcomes := place(t, caller, o); len(outcomes) != calls {
						t.Fatalf("%d calls were made, of %d", len(outcomes), calls)
					}
					if spans := tracer.Await(t, calls); len(spans) != calls {
						t.Fatalf("%d spans of %d calls", len(spans), calls)
					}
					lostNothing(t, tracer, calls)
					if stats := tracer.MustStats(t); stats.ProbeHits != calls*end.hits {
						t.Errorf("%d hits of %d calls, not %d of each", stats.ProbeHits, calls,
							end.hits)
					}
				})
			}
		})
	}
}
