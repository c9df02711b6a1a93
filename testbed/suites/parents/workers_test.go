package parents

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

// lazyPools are those whose workers are started by a request.
var lazyPools = []string{"unbuffered", "buffered", "queue", "ants", "tunny", "dispatched"}

// handed are the ways on which a worker gets its work, each with what can be known of the parent of
// its call.
var handed = map[string]knowledge{
	"plain": certain, "background": open, "slowly": open,
	"thirty-values": open, "other": open, "framework": open, "hidden": open,
}

func workerWays() []way {
	var all []way
	for _, pool := range lazyPools {
		for with, known := range handed {
			all = append(all, way{name: pool + "-" + with, calls: times(1, known)})
		}
	}
	slices.SortFunc(all, func(a, b way) int { return strings.Compare(a.name, b.name) })
	return all
}

func poolBuilds() []target.Build {
	return []target.Build{
		build("1.21.13", "1.58.0", target.Stripped),
		build("1.24.13", "1.75.0"),
		newest(),
	}
}

// A worker is not at work for the request that has started it once it may have got work of another
// request.
func TestAWorkerDoesNotBelongToTheRequestThatStartedIt(t *testing.T) {
	for _, ancestry := range []bool{false, true} {
		for _, build := range poolBuilds() {
			t.Run(fmt.Sprintf("%s ancestry %t", called(build), ancestry), func(t *testing.T) {
				compareWorkers(t, start(t, build, engine.Config{GoroutineAncestry: ancestry}))
			})
		}
	}
}

// compareWorkers has one request start each pool and hang, and gives the pools work of others
// meanwhile.
func compareWorkers(t *testing.T, p *program) {
	var starting sync.WaitGroup
	ways := selected(workerWays(), "http1")
	for _, w := range ways {
		starting.Go(func() {
			if err := p.clients["http2"].send(path(first, "http", "start-"+w.name, "0"),
				""); err != nil {
				t.Error(err)
			}
		})
	}
	tracing.Eventually(t, func() bool {
		return p.Ask(t, "held") == fmt.Sprint(len(ways))
	}, "the pools to be started")
	for _, side := range sides {
		for _, via := range vias {
			p.load(t, side, via, ways)
		}
	}
	p.Ask(t, "release")
	starting.Wait()
	stats := p.tracer.Settle(t)
	forest := tree.New(p.tracer.Spans(), name)
	for _, side := range sides {
		for _, via := range vias {
			var table strings.Builder
			for _, w := range ways {
				under := path(side, via, w.name, "")
				r := forest.Compare(under, p.wants(w, side, under, w.count()))
				fmt.Fprintf(&table, "%-26s %s\n", w.name, r.Summary())
				t.Run(strings.Join([]string{side, via, w.name}, " "), func(t *testing.T) {
					report(t, r)
				})
			}
			t.Logf("%s, calls over %s:\n%s", side, via, &table)
		}
	}
	t.Run("first requests", func(t *testing.T) {
		var wants []tree.Want
		for _, w := range ways {
			w := way{name: "start-" + w.name, calls: times(1, open)}
			wants = append(wants, p.wants(w, "http2", path(first, "http", w.name, ""), 1)...)
		}
		report(t, forest.Compare("/"+first, wants))
	})
	t.Logf("spans that lack something: %v", stats.Degraded)
}

// A goroutine that is given a context works for whom that is of. If that cannot be told, the
// request that has started the goroutine is no parent.
func TestACallWhoseContextCannotBeFollowedIsCounted(t *testing.T) {
	for _, build := range poolBuilds() {
		t.Run(called(build), func(t *testing.T) {
			p := startQuiet(t, build, engine.Config{})
			ways := []way{
				{name: "goroutine-other", calls: times(1, open)},
				{name: "goroutine-hidden", calls: times(1, open)},
				{name: "goroutine-deep", calls: times(1, open)},
				{name: "goroutine-derived", calls: times(1, starter)},
			}
			for _, via := range vias {
				p.load(t, "http2", via, ways)
			}
			stats := p.tracer.Settle(t)
			forest := tree.New(p.tracer.Spans(), name)
			without := 0
			for _, via := range vias {
				for _, w := range ways {
					under := path("http2", via, w.name, "")
					r := forest.Compare(under, p.wants(w, "http2", under, w.count()))
					t.Logf("%s over %s: %s", w.name, via, r.Summary())
					report(t, r)
					_, spared := r.WithoutParent()
					without += spared
				}
			}
			const others = 3 * requests * 2
			counted := int(stats.Degraded[engine.DegradedUnknownContext])
			if without != others || counted != others {
				t.Errorf("%d of %d calls have no parent, and %d are counted", without, others,
					counted)
			}
		})
	}
}

// A goroutine that a request has started works for it as long as nobody can have given it other
// work.
func TestAGoroutineWorksForTheRequestThatStartedIt(t *testing.T) {
	for _, build := range poolBuilds() {
		t.Run(called(build), func(t *testing.T) {
			p := startQuiet(t, build, engine.Config{})
			for _, side := range sides {
				for _, via := range vias {
					t.Run(side+"/"+via, func(t *testing.T) {
						var here []way
						for _, w := range startedWays() {
							here = append(here, selected([]way{w}, side)...)
						}
						p.load(t, side, via, here)
						p.tracer.Settle(t)
						forest := tree.New(p.tracer.Spans(), name)
						for _, w := range here {
							under := path(side, via, w.name, "")
							r := forest.Compare(under, p.wants(w, side, under, w.count()))
							t.Logf("%-26s %s", w.name, r.Summary())
							report(t, r)
						}
					})
				}
			}
		})
	}
}

// startedWays are those on which a goroutine makes several calls, or waits for another one.
func startedWays() []way {
	return []way{
		{name: "limited-group", calls: times(6, starter)},
		{name: "single-flight", calls: times(1, starter)},
		{name: "semaphore", calls: times(3, open)},
		{name: "context-first", calls: []knowledge{certain, open}},
		{name: "context-last", calls: []knowledge{starter, certain}},
		{name: "context-first-body", calls: []knowledge{certain, open}},
		{name: "timeout-handler-twice", calls: []knowledge{certain, starter}, sides: overWeb},
		{name: "timeout-handler-body", calls: []knowledge{certain, starter}, sides: overWeb},
	}
}

// A worker that finds work in a queue need not wait for that. Its first work may be of another
// request than the one that has started it, and nothing tells. No other call of it is told to be
// for a request that it is not for.
func TestOnlyTheFirstWorkOfAWorkerIsTakenForItsStarters(t *testing.T) {
	const crowds, crowd, workers = 50, 16, 4
	p := startQuiet(t, newest(), engine.Config{})
	w := way{name: "crowd", calls: times(1, open), requests: crowds * crowd}
	for n := range crowds {
		var together sync.WaitGroup
		for i := range crowd {
			together.Go(func() {
				request := path("http2", "http", w.name, fmt.Sprint(n*crowd+i))
				if err := p.clients["http2"].send(request, ""); err != nil {
					t.Error(err)
				}
			})
		}
		together.Wait()
	}
	p.tracer.Settle(t)
	under := path("http2", "http", w.name, "")
	r := tree.New(p.tracer.Spans(), name).Compare(under, p.wants(w, "http2", under, w.requests))
	t.Log(r.Summary())
	if wrong, most := r.WithWrongParent(), crowds*workers; wrong > most {
		t.Errorf("%d calls have a wrong parent, and %d workers have begun: %s", wrong, most, r)
	}
}
