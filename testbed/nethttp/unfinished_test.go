package nethttp

import (
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/internal/target"
	"github.com/spanprobe/spanprobe/testbed/internal/tracing"
)

func TestRequestsThatNeverFinishAreCountedAndLeaveNothingBehind(t *testing.T) {
	for _, version := range []string{"1.21.13", "1.27.4"} {
		t.Run("go"+version, func(t *testing.T) {
			server := target.Start(t, target.MustCompile(t, target.Build{Source: source, Go: version, Flags: []string{target.Stripped}}))
			// Ten entries: what stayed behind would soon fill them.
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}, MaxActiveSpans: 10})
			tracer.AwaitTracing(t, 1)
			const each = 30
			for range each {
				if err := server.Get("/panic"); err == nil {
					t.Fatal("a handler that panics answers")
				}
				if err := server.Get("/hijack"); err != nil {
					t.Fatal(err)
				}
				if err := server.Get("/hello/after"); err != nil {
					t.Fatal(err)
				}
			}
			spans := tracer.Await(t, each)
			stats := tracer.MustStats(t)
			if len(spans) != each || stats.Operations != 3*each || stats.Lost[engine.LostUnfinished] != 2*each || stats.Active != 0 {
				t.Errorf("%d spans of %d requests that ended well, as many panicked and were hijacked: %+v", len(spans), each, stats)
			}
		})
	}
}
