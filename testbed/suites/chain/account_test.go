package chain

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

// account compares the spans of the chain with the requests that have passed it.
type account struct {
	answered []bool
	own      bool // the third service says itself whose child its call is
	all      []span
	byID     map[pcommon.SpanID]*span
	byTrace  map[pcommon.TraceID][]*span

	steps    []stepAccount
	complete int // traces that are exactly what they should be
	mixed    int // traces with spans of more than one request
	// traces without a root of their own that are not that of their request
	torn     int
	repeated int             // spans of a step that a request has already
	examples map[int8]string // one of each step of which something is wrong
}

// stepAccount is that of one step.
type stepAccount struct {
	wanted    int // of requests that were answered well
	missing   int // of these
	cut       int // spans of requests that were not
	right     int // have the parent that they should
	orphans   int // have none, and should
	cutOff    int // have none either, but their request was cut
	dangling  int // have one that did not come
	misplaced int // have another one
}

// examplesShown is how many of what is wrong are drawn: the first steps come first, since
// what is wrong with one is wrong behind it.
const examplesShown = 4

func newAccount(all []span, answered []bool, own bool) *account {
	a := &account{
		answered: answered, own: own, all: all, steps: make([]stepAccount,
			len(steps)), examples: map[int8]string{},
		byID: make(map[pcommon.SpanID]*span, len(all)), byTrace: make(map[pcommon.TraceID][]*span,
			len(answered)),
	}
	for i := range all {
		a.byID[all[i].id] = &all[i]
		a.byTrace[all[i].trace] = append(a.byTrace[all[i].trace], &all[i])
	}
	for i := range all {
		s := &all[i]
		s.right = a.judge(s)
	}
	a.judgeTraces()
	return a
}

// wrong is how many spans or traces tell of what did not happen.
func (a *account) wrong() int {
	n := a.mixed + a.torn + a.repeated
	for _, s := range a.steps {
		n += s.misplaced
	}
	return n
}

func (a *account) sum(of func(stepAccount) int) (n int) {
	for _, s := range a.steps {
		n += of(s)
	}
	return n
}

// isCut tells whether a span is of a request that was not answered well.
func (a *account) isCut(s *span) bool {
	return int(s.request) >= len(a.answered) || !a.answered[s.request]
}

// sent is the parent that a span has from elsewhere, if it is the first of a trace.
func (a *account) sent(s *span) (parent tree.Remote, sent, first bool) {
	switch {
	case s.step == 0:
		parent, sent = remote(int(s.request))
		return parent, sent, true
	case a.own && s.step == ownCall+1:
		return own(int(s.request)), true, true
	}
	return tree.Remote{}, false, false
}

// section is which of a request's traces a span belongs to.
func (a *account) section(s *span) int {
	if a.own && s.step > ownCall {
		return 1
	}
	return 0
}

// traces is how many a request has.
func (a *account) traces() int {
	if a.own {
		return 2
	}
	return 1
}

// judge tells whether the parent of a span is the right one.
func (a *account) judge(s *span) bool {
	to := &a.steps[s.step]
	if parent, sent, first := a.sent(s); first {
		switch {
		case !sent && s.parent.IsEmpty(), sent && s.parent.String() == parent.Span &&
			s.trace.String() == parent.Trace:
			to.right++
			return true
		case sent && s.parent.IsEmpty():
			to.orphans++
			a.show("the parent that it was sent with is missing", s)
		default:
			to.misplaced++
			a.show("it has a parent that nobody has sent", s)
		}
		return false
	}
	parent := a.byID[s.parent]
	switch {
	case s.parent.IsEmpty() && a.isCut(s):
		to.cutOff++
	case s.parent.IsEmpty():
		to.orphans++
		a.show("it has no parent", s)
	case parent == nil:
		to.dangling++
	case parent.trace != s.trace:
		to.misplaced++
		a.show("it is in another trace than its parent", s, parent)
	case parent.step != s.step-1, s.step > firstOfMessages &&
		parent.message != s.message, parent.request != s.request:
		to.misplaced++
		a.show("it has a wrong parent", s, parent)
	default:
		to.right++
		return true
	}
	return false
}

// judgeTraces looks at which requests are in which traces, and what they lack.
func (a *account) judgeTraces() {
	type part struct {
		request int32
		section int
	}
	partOf := func(s *span) part { return part{s.request, a.section(s)} }
	traceOf := map[part]pcommon.TraceID{} // where the first span is
	for i := range a.all {
		if _, _, first := a.sent(&a.all[i]); first {
			traceOf[partOf(&a.all[i])] = a.all[i].trace
		}
	}
	found := make([][]int, len(a.answered)) // how many spans of each step a request has
	for trace, its := range a.byTrace {
		of, mixed, rooted := partOf(its[0]), false, false
		for _, s := range its {
			rooted = rooted || s.parent.IsEmpty()
			mixed = mixed || partOf(s) != of
			if int(s.request) < len(found) {
				if found[s.request] == nil {
					found[s.request] = make([]int, len(steps))
				}
				found[s.request][s.step]++
			}
		}
		if mixed {
			a.mixed++
			a.show("its trace has spans of more than one", its[0])
		} else if whole, ok := traceOf[of]; ok && whole != trace && !rooted {
			a.torn++
			a.show("its trace is not that of its request", its[0])
		}
		if !mixed && a.isComplete(its) {
			a.complete++
		}
	}
	for request, ok := range a.answered {
		for i := range steps {
			n := 0
			if found[request] != nil {
				n = found[request][i]
			}
			if !ok {
				a.steps[i].cut += n
				continue
			}
			a.steps[i].wanted += a.wanted(i)
			a.steps[i].missing += max(a.wanted(i)-n, 0)
			a.repeated += max(n-a.wanted(i), 0)
		}
	}
}

// wanted is how many spans a request has of a step.
func (a *account) wanted(step int) int {
	switch {
	case step >= firstOfMessages:
		return messages
	case a.own && step == ownCall:
		return 0
	}
	return 1
}

// isComplete tells whether a trace is the whole tree, and nothing else.
func (a *account) isComplete(its []*span) bool {
	type place struct{ step, message int8 }
	seen := map[place]bool{}
	for _, s := range its {
		if !s.right {
			return false
		}
		seen[place{s.step, s.message}] = true
	}
	whole := 0
	for i := range steps {
		if a.section(&span{step: int8(i)}) == a.section(its[0]) {
			whole += a.wanted(i)
		}
	}
	return len(its) == whole && len(seen) == whole
}

// show keeps an example of what is wrong.
func (a *account) show(what string, s *span, more ...*span) {
	if a.examples[s.step] != "" {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", a.title(s), what)
	if s.step > 0 {
		fmt.Fprintf(&b, "    parent wanted: %s, request %d\n", steps[s.step-1], s.request)
	}
	switch parent := a.byID[s.parent]; {
	case parent != nil:
		fmt.Fprintf(&b, "    parent found:  %s of trace %s\n", a.title(parent), parent.trace)
	case s.parent.IsEmpty():
		b.WriteString("    parent found:  none\n")
	default:
		fmt.Fprintf(&b, "    parent found:  span %s, which did not come\n", s.parent)
	}
	drawn := map[pcommon.TraceID]bool{}
	for _, one := range append([]*span{s}, more...) {
		if !drawn[one.trace] {
			a.draw(&b, one.trace)
		}
		drawn[one.trace] = true
	}
	a.examples[s.step] = b.String()
}

func (a *account) title(s *span) string {
	text := fmt.Sprintf("%s, request %d", steps[s.step], s.request)
	if s.step >= firstOfMessages {
		text += fmt.Sprintf(", message %d", s.message)
	}
	return text + fmt.Sprintf(" (span %s)", s.id)
}

// String is what a step is called.
func (s step) String() string {
	return fmt.Sprintf("%s %s{id} of %s", strings.ToUpper(s.kind.String()), s.path, s.service)
}

// draw writes a trace as a tree.
func (a *account) draw(b *strings.Builder, trace pcommon.TraceID) {
	fmt.Fprintf(b, "    trace %s\n", trace)
	seen := map[*span]bool{}
	var place func(s *span, depth int)
	place = func(s *span, depth int) {
		if seen[s] || len(seen) > 40 {
			return
		}
		seen[s] = true
		fmt.Fprintf(b, "      %s%s\n", strings.Repeat("  ", depth), a.title(s))
		for _, child := range a.byTrace[trace] {
			if child.parent == s.id {
				place(child, depth+1)
			}
		}
	}
	for _, s := range a.byTrace[trace] {
		if above := a.byID[s.parent]; above == nil || above.trace != trace {
			place(s, 0)
		}
	}
}

// String is a table of the steps, with examples of what is wrong.
func (a *account) String() string {
	var b strings.Builder
	fmt.Fprintf(
		&b,
		"%d spans in %d traces, of which %d are the whole tree of what they are of; %d traces are mixed, %d are torn off, %d spans are there twice\n",
		len(a.all),
		len(a.byTrace),
		a.complete,
		a.mixed,
		a.torn,
		a.repeated,
	)
	fmt.Fprintf(&b, "%-32s %8s %8s %8s %8s %8s %8s %8s %8s\n", "step", "wanted", "missing", "right",
		"orphans", "wrong", "dangling", "cut", "cut off")
	for i, s := range a.steps {
		fmt.Fprintf(&b, "%-32s %8d %8d %8d %8d %8d %8d %8d %8d\n", steps[i],
			s.wanted, s.missing, s.right, s.orphans, s.misplaced, s.dangling, s.cut, s.cutOff)
	}
	for _, step := range slices.Sorted(maps.Keys(a.examples))[:min(len(a.examples),
		examplesShown)] {
		b.WriteString(a.examples[step])
	}
	return b.String()
}
