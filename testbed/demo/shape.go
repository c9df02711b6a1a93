package main

import (
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// shape is a span and what is below it, as text that is the same for the same tree.
func shape(o outcome, below []string) string {
	slices.Sort(below)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %q, status %s\n", o.service, o.kind, o.name, o.status)
	for _, tree := range below {
		for line := range strings.Lines(tree) {
			b.WriteString("  " + line)
		}
	}
	return b.String()
}

// shape is that of the spans that the call leads to.
func (c call) shape() string {
	nodes := c.nodes()
	below := make([][]string, len(nodes))
	for i, n := range slices.Backward(nodes) { // a parent comes before its children
		text := shape(n.outcome, below[i])
		if n.parent == none {
			return text
		}
		below[n.parent] = append(below[n.parent], text)
	}
	return ""
}

// shapeOf is that of a span of a trace.
func shapeOf(trace ptrace.Traces, top ptrace.Span) string {
	type member struct {
		outcome
		id pcommon.SpanID
	}
	children := map[pcommon.SpanID][]member{}
	first := member{id: top.SpanID()}
	for service, span := range spansOf(trace) {
		m := member{outcome{service, span.Kind(), span.Name(), statusOf(span)}, span.SpanID()}
		if m.id == first.id {
			first = m
		} else {
			children[span.ParentSpanID()] = append(children[span.ParentSpanID()], m)
		}
	}
	var of func(member) string
	of = func(m member) string {
		its := children[m.id]
		delete(children, m.id) // nobody is below itself
		var below []string
		for _, child := range its {
			below = append(below, of(child))
		}
		return shape(m.outcome, below)
	}
	return of(first)
}
