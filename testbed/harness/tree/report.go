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
	// deepest is how far a span is indented at most: it may have itself among its ancestors.
	deepest = 20
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
		fmt.Fprintf(&b, "  %s: %s\n", d.name, outcomeNames[d.outcome])
		if d.want != nil {
			fmt.Fprintf(&b, "      parent wanted: %s\n", r.wanted(d.want))
			for _, s := range r.forest.named[d.want.Parent] {
				traces = append(traces, s.TraceID())
			}
		}
		if d.got != nil {
			fmt.Fprintf(&b, "      parent found:  %s\n", r.found(d.got))
			fmt.Fprintf(&b, "      its trace is   %s\n", d.got.TraceID())
			traces = append(traces, d.got.TraceID())
			if parent := r.forest.spans[d.got.ParentSpanID()]; parent != nil {
				traces = append(traces, parent.TraceID())
			}
		}
	}
	for i, trace := range traces {
		if slices.Index(traces, trace) == i {
			r.forest.draw(&b, trace)
		}
	}
	return b.String()
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
	parent := r.forest.spans[got.ParentSpanID()]
	switch {
	case got.ParentSpanID().IsEmpty():
		return "none: it is a root"
	case parent == nil:
		return fmt.Sprintf("span %s, which did not come", got.ParentSpanID())
	case parent.EndTimestamp() < got.StartTimestamp():
		return r.forest.title(parent) + ", which had ended"
	}
	return r.forest.title(parent)
}

// draw writes down the spans of a trace, in the order in which they began.
func (f *Forest) draw(b *strings.Builder, trace pcommon.TraceID) {
	fmt.Fprintf(b, "  trace %s\n", trace)
	spans := slices.SortedFunc(slices.Values(f.traces[trace]), func(a, b *tracing.Span) int {
		return a.StartTimestamp().AsTime().Compare(b.StartTimestamp().AsTime())
	})
	for i, s := range spans {
		if i == drawn {
			fmt.Fprintf(b, "    and %d more\n", len(spans)-drawn)
			return
		}
		depth, above := 0, f.spans[s.ParentSpanID()]
		for ; above != nil && above.TraceID() == trace && depth < deepest; depth++ {
			above = f.spans[above.ParentSpanID()]
		}
		start, end := s.StartTimestamp().AsTime(), s.EndTimestamp().AsTime()
		fmt.Fprintf(b, "    %s%s", strings.Repeat("  ", depth), f.name(s))
		fmt.Fprintf(b, "  span %s, process %v, %v for %v", s.SpanID(), s.Resource["process.pid"],
			start.Format("05.000000"), end.Sub(start))
		if parent := s.ParentSpanID(); !parent.IsEmpty() && f.spans[parent] == nil {
			fmt.Fprintf(b, ", parent %s did not come", parent)
		}
		b.WriteByte('\n')
	}
}

// title is what a span is called in what is told of it.
func (f *Forest) title(s *tracing.Span) string {
	return fmt.Sprintf("%s (span %s of trace %s)", f.name(s), s.SpanID(), s.TraceID())
}

func (f *Forest) name(s *tracing.Span) string {
	if name := f.names[s.SpanID()]; name != "" {
		return name
	}
	return s.Kind().String() + " " + s.Name()
}
