package waterfall

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/testbed/harness/spans"
)

// Attribute is the first of some that the span has, or else its resource; "" if there is none.
func Attribute(span spans.Span, keys ...attribute.Key) string {
	for _, key := range keys {
		if value, ok := span.Attributes().Get(string(key)); ok {
			return value.AsString()
		}
		if value, ok := span.Resource[string(key)]; ok {
			return fmt.Sprint(value)
		}
	}
	return ""
}

// row is one span, and its place in the tree.
type row struct {
	spans.Span
	depth int
}

// inOrder puts the spans in the order of the tree, siblings by their start.
func inOrder(trace []spans.Span) (ordered []*row) {
	var all []*row
	known, children := map[pcommon.SpanID]bool{}, map[pcommon.SpanID][]*row{}
	for _, span := range trace {
		all = append(all, &row{Span: span})
		known[span.SpanID()] = true
	}
	slices.SortStableFunc(all, func(a, b *row) int { return a.start().Compare(b.start()) })
	for _, r := range all {
		children[r.ParentSpanID()] = append(children[r.ParentSpanID()], r)
	}
	placed := map[*row]bool{}
	var place func(r *row, depth int)
	place = func(r *row, depth int) {
		if placed[r] {
			return
		}
		placed[r], r.depth = true, depth
		ordered = append(ordered, r)
		for _, child := range children[r.SpanID()] {
			place(child, depth+1)
		}
	}
	for _, r := range all {
		if !known[r.ParentSpanID()] {
			place(r, 0)
		}
	}
	// The rows that are left have themselves among their ancestors.
	for _, r := range all {
		place(r, 0)
	}
	return ordered
}

func (r *row) service() string {
	return clean(cmp.Or(Attribute(r.Span, semconv.ServiceNameKey), "?"))
}

func (r *row) start() time.Time { return r.StartTimestamp().AsTime() }

// duration is zero for a span that ends before it starts.
func (r *row) duration() time.Duration { return max(r.EndTimestamp().AsTime().Sub(r.start()), 0) }

// label is the span's name, set in by its depth.
func (r *row) label() string {
	if r.depth == 0 {
		return clean(r.Name())
	}
	return strings.Repeat("  ", r.depth-1) + "└ " + clean(r.Name())
}

// outcome is the code of gRPC, which says itself whether it is an error, or the status of HTTP
// with a word for that.
func (r *row) outcome() string {
	if code := Attribute(r.Span, semconv.RPCResponseStatusCodeKey); code != "" {
		return clean(code)
	}
	word := map[ptrace.StatusCode]string{
		ptrace.StatusCodeError: " error", ptrace.StatusCodeOk: " ok",
	}[r.Status().Code()]
	return strings.TrimSpace(clean(Attribute(r.Span, semconv.HTTPResponseStatusCodeKey)) + word)
}
