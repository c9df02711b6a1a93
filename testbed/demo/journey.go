package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/testbed/demo/jaegerapi"
)

// journey is the traffic on its way: sent to the shop, and looked for in Jaeger.
type journey struct {
	client *http.Client
	shop   *shop
	api    jaegerapi.Client

	began     time.Time // what started before is of the wait for tracing
	exchanges []exchange
	spans     map[outcome]int // that Jaeger has of all services
	trace     ptrace.Traces   // of the last exchange
}

// findLimit is more traces than the demo makes.
const findLimit = 5000

func (j *journey) send(ctx context.Context) error {
	all := calls()
	j.began = time.Now()
	for i, c := range all {
		e, err := c.make(ctx, j.client, j.shop.url(), i == len(all)-1)
		if err != nil {
			return err
		}
		j.exchanges = append(j.exchanges, e)
	}
	return nil
}

func (j *journey) last() exchange { return j.exchanges[len(j.exchanges)-1] }

// readBack waits until Jaeger has the right spans for every exchange, and fails
// with what is missing or wrong when they do not come.
func (j *journey) readBack(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, traceDeadline)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := j.look(bounded)
		if err == nil {
			return nil
		}
		select {
		case <-bounded.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("not all spans came within %v: %w", traceDeadline, err)
		case <-ticker.C:
		}
	}
}

// look reads from Jaeger what is there now, and says what is amiss.
func (j *journey) look(ctx context.Context) error {
	var errs []error
	j.spans = map[outcome]int{}
	for _, service := range j.shop.names() {
		found, err := j.api.Find(ctx, jaegerapi.Query{Service: service, From: j.began.Add(-time.Second), To: time.Now().Add(time.Second), Limit: findLimit})
		if err != nil {
			errs = append(errs, fmt.Errorf("spans of the service %s: %w", service, err))
			continue
		}
		j.count(service, found)
	}
	if missing := j.unequal(); len(missing) > 0 {
		errs = append(errs, errors.New(strings.Join(missing, "; ")))
	}

	// After that, so that it is whole when they are all there.
	trace, err := j.api.Trace(ctx, j.last().trace)
	if err == nil {
		j.trace = trace
		err = j.last().check(trace)
	}
	if err != nil {
		errs = append(errs, fmt.Errorf("trace %s: %w", j.last().traceID(), err))
	}
	return errors.Join(errs...)
}

// check says what is wrong with the trace of an exchange.
func (e exchange) check(trace ptrace.Traces) error {
	span, ok := serverSpan(trace, pcommon.SpanID(e.parent))
	if !ok {
		return fmt.Errorf("no server span has the parent %x that the request named", e.parent)
	}
	took := span.EndTimestamp().AsTime().Sub(span.StartTimestamp().AsTime())
	switch {
	case span.Name() != e.spanName():
		return fmt.Errorf("the server span is %q, not %q", span.Name(), e.spanName())
	case statusOf(span) != strconv.Itoa(e.status):
		return fmt.Errorf("the server span has the status %q, not %d", statusOf(span), e.status)
	case took <= 0 || took > e.took:
		return fmt.Errorf("the server span took %v, where its client waited for %v", took, e.took)
	}
	if got, want := shapeOf(trace, span), e.shape(); got != want {
		return fmt.Errorf("the trace is not the tree of what the request led to, which is\n%sbut\n%s", want, got)
	}
	if got, want := trace.SpanCount(), len(e.nodes()); got != want {
		return fmt.Errorf("the trace holds %d spans, not the %d that the request led to", got, want)
	}
	return nil
}

func serverSpan(trace ptrace.Traces, parent pcommon.SpanID) (ptrace.Span, bool) {
	for _, span := range spansOf(trace) {
		if span.Kind() == ptrace.SpanKindServer && span.ParentSpanID() == parent {
			return span, true
		}
	}
	return ptrace.Span{}, false
}

// count adds the spans of a service that started since the traffic began. The
// traces may hold those of other services too, which are counted with theirs.
func (j *journey) count(service string, traces ptrace.Traces) {
	for name, span := range spansOf(traces) {
		if name == service && !span.StartTimestamp().AsTime().Before(j.began) {
			j.spans[outcome{service, span.Kind(), span.Name(), statusOf(span)}]++
		}
	}
}

// spansOf yields the spans, each with the name of its service.
func spansOf(traces ptrace.Traces) iter.Seq2[string, ptrace.Span] {
	return func(yield func(string, ptrace.Span) bool) {
		for _, rs := range traces.ResourceSpans().All() {
			service := ""
			if name, ok := rs.Resource().Attributes().Get(string(semconv.ServiceNameKey)); ok {
				service = name.AsString()
			}
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					if !yield(service, span) {
						return
					}
				}
			}
		}
	}
}

// statusOf is the status that HTTP or gRPC gave, "" if the span has none.
func statusOf(span ptrace.Span) string {
	for _, key := range []attribute.Key{semconv.HTTPResponseStatusCodeKey, semconv.RPCResponseStatusCodeKey} {
		if status, ok := span.Attributes().Get(string(key)); ok {
			return status.AsString()
		}
	}
	return ""
}

// due counts the spans that the exchanges should have led to.
func (j *journey) due() map[outcome]int {
	counts := map[outcome]int{}
	for _, e := range j.exchanges {
		for _, n := range e.nodes() {
			counts[n.outcome]++
		}
	}
	return counts
}

// unequal lists where the spans are not those that are due.
func (j *journey) unequal() []string {
	var differences []string
	due := j.due()
	for _, o := range j.outcomes() {
		if due[o] != j.spans[o] {
			differences = append(differences, fmt.Sprintf("%s %s %q, status %s: %d due, %d spans", o.service, o.kind, o.name, o.status, due[o], j.spans[o]))
		}
	}
	return differences
}
