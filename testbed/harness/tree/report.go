package tree

import (
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

const (
	// examples is how many spans are told of for each thing that can be wrong.
	examples = 2
	// drawn is how many spans of a trace are drawn.
	drawn = 30
)

// Summary is how many spans came to what.
func (r *Report) Summary() string {
	var parts []string
	for o, n := range r.counts {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, outcomeNames[o]))
		}
	}
	if len(parts) == 0 {
		return "no spans"
	}
	return strings.Join(parts, ", ")
}

// String is the summary, with examples of what is wrong and the traces that they
// are in.
func (r *Report) String() string {
	var b strings.Builder
	b.WriteString("spans: " + r.Summary() + "\n")
	shown := map[outcome]int{}
	var traces []pcommon.TraceID
	for _, d := range r.differences {
		if shown[d.outcome]++; shown[d.outcome] > examples {
			continue
		}
		r.tell(&b, d)
		for _, trace := range r.involved(d) {
			if !slices.Contains(traces, trace) {
				traces = append(traces, trace)
			}
		}
	}
	if len(traces) > 0 {
		b.WriteString("the traces of these:\n")
	}
	for _, trace := range traces {
		r.forest.draw(&b, trace)
	}
	return b.String()
}

// tell says what is wrong with a span.
func (r *Report) tell(b *strings.Builder, d difference) {
	fmt.Fprintf(b, "  %s: %s\n", d.name, outcomeNames[d.outcome])
	if d.want != nil {
		fmt.Fprintf(b, "      parent wanted: %s\n", r.wanted(d.want))
	}
	if d.got == nil {
		return
	}
	fmt.Fprintf(b, "      parent found:  %s\n", r.found(d.got))
	if d.outcome == strayed {
		fmt.Fprintf(b, "      its trace is %s\n", d.got.TraceID())
	}
}

func (r *Report) wanted(want *Want) string {
	if want.Remote != (Remote{}) {
		return fmt.Sprintf("span %s of trace %s", want.Remote.Span, want.Remote.Trace)
	}
	if want.Parent == "" {
		return "none"
	}
	text := want.Parent + ", which did not come"
	if spans := r.forest.named[want.Parent]; len(spans) > 0 {
		text = r.forest.title(spans[0])
	}
	if want.While {
		text += ", while that lasts"
	}
	if want.OrNone {
		text += ", or none"
	}
	return text
}

func (r *Report) found(got *tracing.Span) string {
	if got.ParentSpanID().IsEmpty() {
		return fmt.Sprintf("none: it is a root of trace %s", got.TraceID())
	}
	if parent := r.forest.spans[got.ParentSpanID()]; parent != nil {
		text := r.forest.title(parent)
		if parent.EndTimestamp() < got.StartTimestamp() {
			text += ", which had ended"
		}
		return text
	}
	return fmt.Sprintf("span %s of trace %s, which did not come", got.ParentSpanID(), got.TraceID())
}

// involved are the traces that a difference is about.
func (r *Report) involved(d difference) []pcommon.TraceID {
	var traces []pcommon.TraceID
	add := func(s *tracing.Span) {
		if s != nil {
			traces = append(traces, s.TraceID())
		}
	}
	if d.want != nil && d.want.Parent != "" {
		for _, s := range r.forest.named[d.want.Parent] {
			add(s)
		}
	}
	if d.got != nil {
		add(d.got)
		add(r.forest.spans[d.got.ParentSpanID()])
	}
	return traces
}

// draw writes a trace as a tree.
func (f *Forest) draw(b *strings.Builder, trace pcommon.TraceID) {
	fmt.Fprintf(b, "  trace %s\n", trace)
	left := drawn
	seen := map[pcommon.SpanID]bool{}
	var place func(s *tracing.Span, depth int)
	place = func(s *tracing.Span, depth int) {
		if seen[s.SpanID()] {
			return
		}
		seen[s.SpanID()] = true
		if left--; left < 0 {
			return
		}
		fmt.Fprintf(b, "    %s%s\n", strings.Repeat("  ", depth), f.line(s))
		below := slices.Clone(f.children[s.SpanID()])
		slices.SortFunc(below, byStart)
		for _, child := range below {
			place(child, depth+1)
		}
	}
	spans := slices.Clone(f.traces[trace])
	slices.SortFunc(spans, byStart)
	for _, s := range spans {
		if above := f.spans[s.ParentSpanID()]; above == nil || above.TraceID() != trace {
			place(s, 0)
		}
	}
	for _, s := range spans { // what is left has itself among its ancestors
		place(s, 0)
	}
	if left < 0 {
		fmt.Fprintf(b, "    and %d more\n", -left)
	}
}

// line is a span in a drawing.
func (f *Forest) line(s *tracing.Span) string {
	name := f.names[s.SpanID()]
	if name == "" {
		name = s.Kind().String() + " " + s.Name()
	}
	text := fmt.Sprintf("%s  span %s, process %v, %v for %v", name, s.SpanID(), s.Resource["process.pid"],
		s.StartTimestamp().AsTime().Format("05.000000"), s.EndTimestamp().AsTime().Sub(s.StartTimestamp().AsTime()))
	if parent := s.ParentSpanID(); !parent.IsEmpty() && f.spans[parent] == nil {
		text += fmt.Sprintf(", parent %s did not come", parent)
	}
	return text
}

func byStart(a, b *tracing.Span) int {
	return a.StartTimestamp().AsTime().Compare(b.StartTimestamp().AsTime())
}
