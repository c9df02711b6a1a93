package parents

import (
	"fmt"
	"slices"

	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

const (
	requests = 8 // of each way, at the same time as those of all others
	messages = 3 // of a stream
)

// knowledge is what can be known of the request that a call is made for.
type knowledge int

const (
	certain knowledge = iota
	starter           // certain where goroutines know which one has started them
	open              // the parent is that request, or there is none
)

// way is a case of the server's: one way from a request to its calls.
type way struct {
	name string
	// calls are those of a request, each with what can be known of its parent.
	calls []knowledge
	// sides are where there is that case; nil: on all of them.
	sides []string
	// perhaps is how many of the last calls there need not be.
	perhaps int
	// requests is how many there are; 0: as usual.
	requests int
}

func times(n int, k knowledge) []knowledge { return slices.Repeat([]knowledge{k}, n) }

var (
	one   = times(1, certain)
	three = times(3, certain)
	// whole are the sides of which a request is one message.
	whole   = []string{"http1", "http2", "unary"}
	overWeb = []string{"http1", "http2"}
	// ownGoroutine are the sides on which each request has a goroutine of its own.
	ownGoroutine = []string{"http2", "unary", "stream"}
)

// ways are all cases. What is certain must be so, and what is open never wrong.
var ways = []way{
	{name: "handler", calls: one},
	{name: "handler-background", calls: one},
	{name: "sequence", calls: three},
	{name: "timeout-handler", calls: one, sides: overWeb},

	{name: "goroutine", calls: one},
	{name: "goroutine-background", calls: times(1, starter)},
	{name: "fan-out", calls: times(50, certain), requests: 4},
	{name: "fan-out-background", calls: times(50, starter), requests: 4},
	{name: "errgroup", calls: three},
	{name: "nested", calls: one},
	{name: "nested-background", calls: times(1, open)},
	{name: "timer", calls: one},
	{name: "timer-background", calls: times(1, open)},

	{name: "pool", calls: one},
	{name: "pool-background", calls: times(1, open)},
	{name: "lazy-pool", calls: one},
	{name: "lazy-pool-background", calls: times(1, open)},

	{name: "without-cancel", calls: one},
	{name: "with-timeout", calls: one},
	{name: "ten-values", calls: one},
	{name: "thirty-values", calls: times(1, open)}, // more than are looked at
	{name: "mixed", calls: one},
	{name: "custom-pointer", calls: one},
	{name: "custom-value", calls: one},
	{name: "custom-other", calls: times(1, open)},
	{name: "recycled", calls: one},

	{name: "dialer", calls: []knowledge{certain, open}},
	{name: "sql", calls: []knowledge{certain, certain}, perhaps: 1},
	{name: "refreshed", calls: one},
}

// leftBehind are the cases in which the call is made while the connection serves another
// request, which releases it and makes one itself.
var leftBehind = []way{
	{name: "after", calls: one, sides: whole},
	{name: "after-background", calls: times(1, open), sides: whole},
}

// releasing is the way of the requests that release what those of a way have left behind.
func (w way) releasing() way { return way{name: "release-" + w.name, calls: one} }

// count is how many requests there are of a way.
func (w way) count() int {
	if w.requests != 0 {
		return w.requests
	}
	return requests
}

// wants are the spans of so many requests of a way, whose paths begin alike.
func (p *program) wants(w way, side, under string, requests int) []tree.Want {
	var wants []tree.Want
	parts := 1
	if side == "stream" {
		parts = messages
	}
	for i := range requests {
		request := fmt.Sprint(under, i)
		wants = append(wants, tree.Want{Name: tree.Served(request)})
		for message := range parts {
			for n, known := range w.calls {
				wants = append(wants, tree.Want{
					Name: tree.Called(fmt.Sprintf("%s/%d/%d", request, message,
						n)), Parent: tree.Served(request),
					OrNone: !p.sure(known, side), Optional: n >= len(w.calls)-w.perhaps,
				})
			}
		}
	}
	return wants
}

// sure tells whether a parent must be known. The goroutine of a connection of HTTP/1 serves one
// request after the other, and a child of it may have an id that was set aside before the last one,
// if it was started on another processor. The garbage collector has goroutines wait.
func (p *program) sure(k knowledge, side string) bool {
	return k == certain || k == starter && p.quiet && knowsStarter(p.build) &&
		slices.Contains(ownGoroutine, side)
}
