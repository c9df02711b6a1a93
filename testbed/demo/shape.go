package main

import (
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/testbed/demo/waterfall"
	"github.com/spanprobe/spanprobe/testbed/harness/spans"
)

// outcome is what calls and spans are counted by.
type outcome struct {
	service string
	kind    ptrace.SpanKind
	name    string // of the span
	status  string // "200", or of gRPC: "OK"
}

func outcomeOf(span spans.Span) outcome {
	return outcome{
		service: waterfall.Attribute(span, semconv.ServiceNameKey),
		kind:    span.Kind(),
		name:    span.Name(),
		status: waterfall.Attribute(span,
			semconv.HTTPResponseStatusCodeKey, semconv.RPCResponseStatusCodeKey),
	}
}

func (o outcome) String() string {
	return fmt.Sprintf("%s %s %q, status %s", o.service, o.kind, o.name, o.status)
}

// node is a span in its trace.
type node struct {
	outcome
	id, parent pcommon.SpanID
}

// follow adds the spans of calls between services to the one of the request that leads to them. A
// service calls for the request that came to it last.
func follow(request node, hops []string) []node {
	all := []node{request}
	last := map[string]pcommon.SpanID{request.service: request.id}
	add := func(parent pcommon.SpanID, o outcome) pcommon.SpanID {
		id := pcommon.SpanID{7: byte(len(all) + 1)}
		all = append(all, node{o, id, parent})
		return id
	}
	for line := range strings.Lines(strings.Join(hops, "")) {
		words := strings.Fields(line)
		from, to, name, status := words[0], words[1], words[2:len(words)-1], words[len(words)-1]
		// A client knows no route.
		call := add(last[from], outcome{from, ptrace.SpanKindClient, name[0], status})
		last[to] = add(call, outcome{to, ptrace.SpanKindServer, strings.Join(name, " "), status})
	}
	return all
}

// shape is the tree of spans from one of them on, as text that is the same for the same tree.
func shape(nodes []node, top pcommon.SpanID) string {
	texts, below := map[pcommon.SpanID]string{}, map[pcommon.SpanID][]pcommon.SpanID{}
	for _, n := range nodes {
		texts[n.id] = n.String() + "\n"
		below[n.parent] = append(below[n.parent], n.id)
	}
	var of func(pcommon.SpanID) string
	of = func(id pcommon.SpanID) string {
		children := below[id]
		delete(below, id) // nobody is below itself
		var trees []string
		for _, child := range children {
			trees = append(trees, of(child))
		}
		slices.Sort(trees)
		text := texts[id]
		for line := range strings.Lines(strings.Join(trees, "")) {
			text += "  " + line
		}
		return text
	}
	return of(top)
}
