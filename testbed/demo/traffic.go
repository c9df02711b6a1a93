package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.yaml.in/yaml/v3"

	"github.com/spanprobe/spanprobe/testbed/demo/waterfall"
	"github.com/spanprobe/spanprobe/testbed/harness/spans"
)

//go:embed traffic.yaml
var trafficText []byte

// traffic is what is sent to the shop.
type traffic struct {
	// Hops are calls between services, by what leads to them.
	Hops map[string]string
	// Visit brings every service something to do.
	Visit []call
	// Calls are those that are counted. The last one is drawn.
	Calls []call
}

// readTraffic can fail for no run: the text is part of the program.
var readTraffic = sync.OnceValue(func() (all traffic) {
	if err := yaml.Unmarshal(trafficText, &all); err != nil {
		panic(err)
	}
	return all
})

// call is a request to the entry, and what it should come to.
type call struct {
	Method, Target, Body string
	Span                 string // name of the entry's span: the method, and the route if any
	Status               int
	Hops                 []string // the calls between services that it leads to
}

// exchange is a call that was made.
type exchange struct {
	call
	trace pcommon.TraceID // which its traceparent named, zero if it had none
}

// make makes the call, and fails if the answer is another than it should be. With traced, the
// request carries the context of a trace of its own.
func (c call) make(ctx context.Context, shop string, traced bool) (exchange, error) {
	e := exchange{call: c}
	body := strings.NewReader(c.Body)
	request, err := http.NewRequestWithContext(ctx, c.Method, shop+c.Target, body)
	if err != nil {
		return e, err
	}
	request.Header.Set("User-Agent", "spanprobe-demo")
	if traced {
		// crypto/rand.Read never fails since Go 1.24.
		rand.Read(e.trace[:])
		request.Header.Set("traceparent", fmt.Sprintf("00-%s-%.16s-01", e.trace, e.trace))
	}

	response, err := client.Do(request)
	if err != nil {
		return e, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return e, fmt.Errorf("%s %s: %w", c.Method, c.Target, err)
	}
	if response.StatusCode != c.Status {
		return e, fmt.Errorf("%s %s: %s where %d was due: %.200s",
			c.Method, c.Target, response.Status, c.Status, answer)
	}
	return e, nil
}

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
