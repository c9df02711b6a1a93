// Package spans takes traces apart for those who compare or count spans.
package spans

import "go.opentelemetry.io/collector/pdata/ptrace"

// Span is one span, with its resource and its scope.
type Span struct {
	Resource map[string]any
	Scope    string // name
	Version  string // of the scope
	ptrace.Span
}

// Values are the span's attributes as plain values.
func (s Span) Values() map[string]any { return s.Span.Attributes().AsRaw() }

// Of are the spans of traces. They stay parts of these.
func Of(traces ptrace.Traces) []Span {
	var all []Span
	for _, resource := range traces.ResourceSpans().All() {
		values := resource.Resource().Attributes().AsRaw()
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				all = append(all, Span{values, scope.Scope().Name(), scope.Scope().Version(), span})
			}
		}
	}
	return all
}
