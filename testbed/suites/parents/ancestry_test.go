package parents

import (
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

// descended are the ways on which goroutines start goroutines, with no context passed along.
var descended = []way{
	{name: "goroutine-background", calls: one},
	{name: "fan-out-background", calls: times(50, certain), requests: 4},
	{name: "nested-background", calls: one},
}

func TestWithTheAncestryOfGoroutinesTheirCallsHaveAParent(t *testing.T) {
	for _, build := range builds() {
		if !knowsStarter(build) {
			continue
		}
		t.Run(called(build), func(t *testing.T) {
			p := startQuiet(t, build, engine.Config{GoroutineAncestry: true})
			for _, side := range sides {
				t.Run(side, func(t *testing.T) { p.compareDescended(t, side) })
			}
		})
	}
}

func (p *program) compareDescended(t *testing.T, side string) {
	before := p.tracer.MustStats(t)
	p.load(t, side, "http", descended)
	stats := p.tracer.Settle(t)
	if tracing.Lost(stats) != 0 {
		t.Errorf("operations were lost: %v", stats.Lost)
	}
	forest := tree.New(p.tracer.Spans(), name)
	var children started
	for _, w := range descended {
		if !knowsLast(p.build) { // then nothing else tells, should what was noted have made room
			w.calls = times(len(w.calls), starter)
		}
		under := path(side, "http", w.name, "")
		r := forest.Compare(under, p.wants(w, side, under, w.count()))
		t.Logf("%s: %s", w.name, r.Summary())
		report(t, r)
		children.add(w, r)
	}
	children.expectCounted(t, p.build, before, stats)
}
