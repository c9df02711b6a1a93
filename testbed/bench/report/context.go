package report

import (
	"fmt"
	"strings"
	"time"
)

// Context is a way in which spans find their parents.
type Context string

// The ways.
const (
	Untraced Context = "not traced"
	Isolated Context = "traced, without parents"           // none but those that a header names
	Joined   Context = "traced, with parents"              // as by default
	Ancestry Context = "traced, with `goroutine_ancestry`" // that, too
)

// ContextCost is what it takes that spans find their parents.
type ContextCost struct {
	// Calls are the runs of all programs for a call, at both of its ends: hits, and
	// the time of all of these together.
	Calls map[Mode]map[Context]Count
	// Starts are the processor times of a goroutine that is started and does nothing, one for each
	// round.
	Starts map[Context][]time.Duration
}

func (c *ContextCost) write(b *strings.Builder) {
	if c == nil {
		return
	}
	b.WriteString("### What it takes to find parents\n\nOf a call whose two ends are both traced: hits, and the time in programs, by the kernel's count, of all hits at both ends. " +
		"\"Without\" is with the search for parents\nturned off, and without the hooks that announce calls (gRPC's also tells whether the program traces itself).\n\n")
	t := table{head: []string{"", "without", "with parents", "that adds", "with `goroutine_ancestry`, too"}, numbers: true}
	for _, kind := range kindsOfCalls {
		ways := c.Calls[kind]
		if ways == nil {
			continue
		}
		without, with := ways[Isolated], ways[Joined]
		t.add(strings.Replace(string(kind), " client", "", 1), inAll(without), inAll(with),
			inAll(Count{with.Hits - without.Hits, with.Time - without.Time}), inAll(ways[Ancestry]))
	}
	t.write(b)
	t = table{head: []string{"a goroutine that is started and does nothing", "CPU"}, numbers: true}
	for _, way := range []Context{Untraced, Isolated, Joined, Ancestry} {
		var nanos []float64
		for _, d := range c.Starts[way] {
			nanos = append(nanos, float64(d.Nanoseconds()))
		}
		t.add(string(way), SpreadOf(nanos).format("%.0f", " ns"))
	}
	t.write(b)
}

func inAll(c Count) string {
	return fmt.Sprintf("%.2f hits, %.1f µs", c.Hits, float64(c.Time.Nanoseconds())/1000)
}
