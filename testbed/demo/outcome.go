package main

import (
	"fmt"
	"strconv"
	"strings"

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

// outcomes are those of all spans that the call leads to: of the entry's own, and of the calls
// between services.
func (c call) outcomes() []outcome {
	all := []outcome{{entry, ptrace.SpanKindServer, c.Span, strconv.Itoa(c.Status)}}
	for line := range strings.Lines(strings.Join(c.Hops, "")) {
		words := strings.Fields(line)
		from, to, name, status := words[0], words[1], words[2:len(words)-1], words[len(words)-1]
		all = append(all,
			outcome{from, ptrace.SpanKindClient, name[0], status}, // a client knows no route
			outcome{to, ptrace.SpanKindServer, strings.Join(name, " "), status})
	}
	return all
}
