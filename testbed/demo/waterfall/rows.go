package waterfall

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
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
	depth  int
	orphan bool // its parent is not in the trace
}

// rows puts the spans in the order of the tree, siblings by their start.
func rows(traces ptrace.Traces) []*row {
	var all, ordered []*row
	known := map[pcommon.SpanID]bool{}
	for _, span := range spans.Of(traces) {
		all = append(all, &row{Span: span})
		known[span.SpanID()] = true
	}
	slices.SortStableFunc(all, func(a, b *row) int { return a.start().Compare(b.start()) })
	children := map[pcommon.SpanID][]*row{}
	for _, r := range all {
		parent := r.ParentSpanID()
		r.orphan = !known[parent] && !parent.IsEmpty()
		children[parent] = append(children[parent], r)
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

// shown are the attributes that say most about a call, and are not in the span's row already.
var shown = []attribute.Key{
	semconv.URLPathKey,
	semconv.URLQueryKey,
	semconv.ErrorTypeKey,
	semconv.ServerAddressKey,
	semconv.ServerPortKey,
	semconv.ClientAddressKey,
	semconv.NetworkProtocolVersionKey,
	semconv.UserAgentOriginalKey,
	semconv.ProcessPIDKey,
}

// details stand below the span's row.
func (r *row) details() []string {
	var details []string
	for _, key := range shown {
		if value := Attribute(r.Span, key); value != "" {
			details = append(details, string(key)+"="+value)
		}
	}
	if message := r.Span.Status().Message(); message != "" {
		details = append(details, "status="+strconv.Quote(message))
	}
	if r.orphan {
		details = append(details, "parent="+r.ParentSpanID().String()+" (not in this trace)")
	}
	return details
}
