package parents

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/resources"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

// A million goroutines are a hundred requests of each phase with a thousand each.
const (
	phases           = 10
	requestsOfAPhase = 100
	maxActive        = 256 // far less than the goroutines that are started
)

// What is kept of goroutines must neither grow with those that have ended nor stand in the way of
// those that are started then.
func TestAMillionGoroutinesLeaveNothingBehind(t *testing.T) {
	for _, ancestry := range []bool{false, true} {
		t.Run(fmt.Sprintf("ancestry %t", ancestry), func(t *testing.T) {
			compareMillion(t, ancestry)
		})
	}
}

func compareMillion(t *testing.T, ancestry bool) {
	all := builds()
	p := start(t, all[len(all)-1], engine.Config{
		MaxActiveSpans:    maxActive,
		GoroutineAncestry: ancestry,
	})
	var entries []map[string]int
	for phase := range phases {
		w := way{name: "multitude", calls: times(10, starter), requests: requestsOfAPhase}
		before := p.tracer.MustStats(t)
		side := fmt.Sprint("phase", phase)
		p.clients[side] = p.clients["http1"]
		p.load(t, side, "http", []way{w})
		stats := p.tracer.Settle(t)
		if n := tracing.Lost(stats); n != 0 {
			t.Errorf("phase %d: %d operations were lost: %v", phase, n, stats.Lost)
		}
		under := path(side, "http", w.name, "")
		r := tree.New(p.tracer.Spans(), name).Compare(under,
			p.wants(w, side, under, w.count()))
		var children started
		children.add(w, r)
		children.expectCounted(t, p.build, before, stats)
		switch {
		case r.OK():
		case t.Failed(): // and has said what that looks like
			t.Errorf("phase %d: %s", phase, r.Summary())
		default:
			t.Errorf("phase %d: %s", phase, r)
		}
		entries = append(entries, countEntries(t))
	}
	t.Logf("entries of maps after each %d goroutines:\n%s", requestsOfAPhase*1000, table(entries))
	for name, n := range entries[phases-1] {
		if n > 4*maxActive {
			t.Errorf("%d entries in the map %q, when nothing is in flight", n, name)
		}
	}

	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	p.tracer.AwaitTracing(t, 0)
	var left map[string]int
	tracing.Eventually(t, func() bool {
		left = countEntries(t)
		maps.DeleteFunc(left, func(name string, n int) bool { return n == 0 || ofBinaries[name] })
		return len(left) == 0
	}, "the maps to forget the process: %v", &left)
}

// ofBinaries are maps of what is kept while a file is attached.
var ofBinaries = map[string]bool{"files": true}

// countEntries counts those of all hash maps, by their name.
func countEntries(t *testing.T) map[string]int {
	t.Helper()
	open, err := resources.Maps()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for id := range open {
		name, n, err := resources.Entries(id)
		if err != nil {
			t.Fatal(err)
		}
		counts[name] += n
	}
	return counts
}

func table(entries []map[string]int) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(entries[0])) {
		if !slices.ContainsFunc(entries, func(counts map[string]int) bool {
			return counts[name] > 0
		}) {
			continue
		}
		fmt.Fprintf(&b, "%-20s", name)
		for _, counts := range entries {
			fmt.Fprintf(&b, " %6d", counts[name])
		}
		b.WriteByte('\n')
	}
	return b.String()
}
