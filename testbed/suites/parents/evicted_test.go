package parents

import (
	"fmt"
	"sync"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

const (
	held   = 56 // at a time over each of two protocols
	rounds = 20
)

// Where the entries of operations in flight have to make room for others, calls lack a parent: not
// more of them than entries have gone, and none has a wrong one.
func TestParentsThatHadToMakeRoomAreCounted(t *testing.T) {
	for _, way := range []way{
		{name: "held", calls: times(1, open)},
		{name: "held-background", calls: times(1, open)},
	} {
		t.Run(way.name, func(t *testing.T) {
			var sent sync.WaitGroup
			t.Cleanup(sent.Wait) // after the server has ended, should it not answer
			p := start(t, newest(), engine.Config{MaxActiveSpans: 64})
			over := map[string]string{"http2": "http", "unary": "grpc"}
			for round := range rounds {
				for side, via := range over {
					for i := range held {
						sent.Go(func() {
							if err := p.clients[side].send(path(side, via, way.name,
								fmt.Sprint(round*held+i)), ""); err != nil {
								t.Error(err)
							}
						})
					}
				}
				tracing.Eventually(t, func() bool {
					return p.Ask(t, "held") == fmt.Sprint(len(over)*held)
				}, "all requests to be in flight")
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
				r := forest.Compare(under, p.wants(way, side, under, rounds*held))
				report(t, r)
				_, spared := r.WithoutParent()
				without += spared
			}
			evicted := int(stats.Degraded[engine.DegradedEvictedParent])
			t.Logf("%d of %d calls have no parent, %d entries had to make room", without,
				rounds*len(over)*held, evicted)
			if without > evicted {
				t.Errorf("%d calls have no parent, only %d entries had to make room", without,
					evicted)
			}
			if evicted == 0 || without == 0 && way.name == "held-background" {
				t.Errorf(
					"%d entries had to make room, and %d calls have no parent: the test shows nothing",
					evicted,
					without,
				)
			}
		})
	}
}

// What a request has left behind makes its call when thousands of others have ended since.
func TestCallsLongAfterTheEndOfTheirRequestAreItsChildren(t *testing.T) {
	const left, others = 100, 2800
	for _, side := range []string{"http1", "http2", "unary"} {
		t.Run(side, func(t *testing.T) {
			p := start(t, newest(), engine.Config{})
			after := way{name: "after", calls: one, requests: left}
			p.load(t, side, "http", []way{after})
			p.load(t, side, "http", []way{{name: "handler", calls: one, requests: others}})
			p.load(t, side, "http", []way{{name: after.releasing().name, requests: left}})
			p.tracer.Settle(t)
			under := path(side, "http", after.name, "")
			forest := tree.New(p.tracer.Spans(), name)
			report(t, forest.Compare(under, p.wants(after, side, under, left)))
		})
	}
}

// Operations that end with their program leave no entries behind that nobody would take for ended:
// there would be no room for others at last.
func TestWhatEndedProgramsHaveLeftMakesRoom(t *testing.T) {
	const (
		programs = 40
		inFlight = 16 // of each; all of them together have more entries than there is room for
		room     = 64
	)
	executable := target.MustCompile(t, newest())
	tracer := tracing.Start(t, engine.Config{
		Targets:        []engine.Target{{Exe: executable}},
		MaxActiveSpans: room,
	})
	web, rpc := startCalled(t)
	for n := range programs {
		server := target.Start(t, executable, "-http", web, "-grpc", rpc)
		tracer.AwaitTracing(t, 1)
		clients := newClients(t, server.Address)
		var sent sync.WaitGroup
		for i := range inFlight {
			sent.Go(func() {
				if err := clients["http2"].send(path("http2", "http", "held", fmt.Sprint(i)),
					""); err == nil {
					t.Error("a request is answered by a program that was killed")
				}
			})
		}
		tracing.Eventually(t, func() bool {
			return server.Ask(t, "held") == fmt.Sprint(inFlight)
		}, "all requests to be in flight")
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		sent.Wait()
		tracing.Eventually(t, func() bool {
			stats := tracer.MustStats(t)
			return stats.Processes == 0 && int(stats.Lost[engine.LostUnfinished]) == (n+1)*inFlight
		}, "the requests to be counted as unfinished")
	}
	if evicted := tracer.MustStats(t).Degraded[engine.DegradedEvictedParent]; evicted != 0 {
		t.Errorf("%d entries had to make room", evicted)
	}
}
