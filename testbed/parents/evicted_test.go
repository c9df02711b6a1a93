package parents

import (
	"fmt"
	"sync"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/internal/tracing"
	"github.com/spanprobe/spanprobe/testbed/internal/tree"
)

const (
	held   = 56 // at a time over each of two protocols
	rounds = 20
)

// Where the entries of operations in flight have to make room for others, calls lack a parent: not
// more of them than entries have gone, and none has a wrong one.
func TestParentsThatHadToMakeRoomAreCounted(t *testing.T) {
	for _, way := range []way{{name: "held", calls: times(1, open)}, {name: "held-background", calls: times(1, open)}} {
		t.Run(way.name, func(t *testing.T) {
			var sent sync.WaitGroup
			t.Cleanup(sent.Wait) // after the server has ended, should it not answer
			p := start(t, newest(), engine.Config{MaxActiveSpans: 64})
			over := map[string]string{"http2": "http", "unary": "grpc"}
			for round := range rounds {
				for side, via := range over {
					for i := range held {
						sent.Go(func() {
							if err := p.clients[side].send(path(side, via, way.name, fmt.Sprint(round*held+i)), ""); err != nil {
								t.Error(err)
							}
						})
					}
				}
				tracing.Eventually(t, func() bool { return p.Ask(t, "held") == fmt.Sprint(len(over)*held) }, "all requests to be in flight")
				p.Ask(t, "release")
				sent.Wait()
			}
			stats := p.tracer.Settle(t)
			if n := tracing.Lost(stats); n != 0 {
				t.Errorf("%d operations were lost: %v", n, stats.Lost)
			}
			forest := tree.New(p.tracer.Spans(), name)
			without := 0
			for side, via := range over {
				under := path(side, via, way.name, "")
				r := forest.Compare(under, way.wants(p.build, side, under, rounds*held))
				report(t, r)
				_, spared := r.WithoutParent()
				without += spared
			}
			evicted := int(stats.Degraded[engine.DegradedEvictedParent])
			t.Logf("%d of %d calls have no parent, %d entries had to make room", without, rounds*len(over)*held, evicted)
			if without > evicted {
				t.Errorf("%d calls have no parent, only %d entries had to make room", without, evicted)
			}
			if evicted == 0 || without == 0 && way.name == "held-background" {
				t.Errorf("%d entries had to make room, and %d calls have no parent: the test shows nothing", evicted, without)
			}
		})
	}
}
