// Package waterfall draws a trace in a terminal: a row for each span, with a
// bar that is scaled to the time of the trace.
package waterfall

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// row is one span, where it stands in the tree.
type row struct {
	span     ptrace.Span
	resource pcommon.Resource
	service  string
	depth    int
	orphan   bool // its parent is not in the trace
}

// rows puts the spans in the order of the tree, siblings by their start.
func rows(traces ptrace.Traces) []*row {
	all := collect(traces)
	known := map[pcommon.SpanID]bool{}
	for _, r := range all {
		known[r.span.SpanID()] = true
	}
	var tops []*row
	children := map[pcommon.SpanID][]*row{}
	for _, r := range all {
		parent := r.span.ParentSpanID()
		if known[parent] {
			children[parent] = append(children[parent], r)
			continue
		}
		r.orphan = !parent.IsEmpty()
		tops = append(tops, r)
	}

	ordered := make([]*row, 0, len(all))
	placed := map[*row]bool{}
	var place func(r *row, depth int)
	place = func(r *row, depth int) {
		if placed[r] {
			return
		}
		placed[r] = true
		r.depth = depth
		ordered = append(ordered, r)
		for _, child := range children[r.span.SpanID()] {
			place(child, depth+1)
		}
	}
	for _, top := range tops {
		place(top, 0)
	}
	// What is left has itself among its ancestors.
	for _, r := range all {
		place(r, 0)
	}
	return ordered
}

// collect lists the spans by their start.
func collect(traces ptrace.Traces) []*row {
	var all []*row
	for _, rs := range traces.ResourceSpans().All() {
		service := "?"
		if name, ok := rs.Resource().Attributes().Get(string(semconv.ServiceNameKey)); ok {
			service = clean(name.AsString())
		}
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				all = append(all, &row{span: span, resource: rs.Resource(), service: service})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *row) int {
		return cmp.Compare(a.span.StartTimestamp(), b.span.StartTimestamp())
	})
	return all
}

func (r *row) start() time.Time { return r.span.StartTimestamp().AsTime() }

// duration is zero for a span that ends before it starts.
func (r *row) duration() time.Duration {
	return max(r.span.EndTimestamp().AsTime().Sub(r.start()), 0)
}

func (r *row) failed() bool { return r.span.Status().Code() == ptrace.StatusCodeError }

// outcome is what a reader wants to know of how the span ended: its HTTP status,
// and whether it counts as an error. The codes of gRPC say so themselves.
func (r *row) outcome() string {
	if code, ok := r.attribute(string(semconv.RPCResponseStatusCodeKey)); ok {
		return clean(code)
	}
	var words []string
	if code, ok := r.attribute(string(semconv.HTTPResponseStatusCodeKey)); ok {
		words = append(words, clean(code))
	}
	switch r.span.Status().Code() {
	case ptrace.StatusCodeError:
		words = append(words, "error")
	case ptrace.StatusCodeOk:
		words = append(words, "ok")
	}
	return strings.Join(words, " ")
}

// attribute looks in the span, then in its resource.
func (r *row) attribute(key string) (string, bool) {
	value, ok := r.span.Attributes().Get(key)
	if !ok {
		value, ok = r.resource.Attributes().Get(key)
	}
	if !ok {
		return "", false
	}
	return value.AsString(), true
}

// details are the attributes that say most about a call. What the row of the
// span says already is not among them.
func (r *row) details() []string {
	var details []string
	for _, key := range []string{
		string(semconv.URLPathKey),
		string(semconv.URLQueryKey),
		string(semconv.ErrorTypeKey),
		string(semconv.ServerAddressKey),
		string(semconv.ServerPortKey),
		string(semconv.ClientAddressKey),
		string(semconv.NetworkProtocolVersionKey),
		string(semconv.UserAgentOriginalKey),
		string(semconv.ProcessPIDKey),
	} {
		if value, ok := r.attribute(key); ok {
			details = append(details, key+"="+value)
		}
	}
	if message := r.span.Status().Message(); message != "" {
		details = append(details, "status="+strconv.Quote(message))
	}
	if r.orphan {
		details = append(details, "parent="+r.span.ParentSpanID().String()+" (not in this trace)")
	}
	return details
}
