package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/testbed/demo/jaegerapi"
)

// journey is the traffic on its way: sent to the shop, and looked for in Jaeger.
type journey struct {
	client *http.Client
	shop   string // URL
	api    jaegerapi.Client

	exchanges []exchange
	spans     map[outcome]int // server spans that Jaeger has
	trace     ptrace.Traces   // of the last exchange
}

// outcome is what exchanges and spans are counted by.
type outcome struct {
	name   string // of the span
	status int64  // HTTP's
}

// findLimit is more traces than the demo makes.
const findLimit = 5000

func (j *journey) send(ctx context.Context) error {
	all := calls()
	for i, c := range all {
		e, err := c.make(ctx, j.client, j.shop, i == len(all)-1)
		if err != nil {
			return err
		}
		j.exchanges = append(j.exchanges, e)
	}
	return nil
}

func (j *journey) last() exchange { return j.exchanges[len(j.exchanges)-1] }

// readBack waits until Jaeger has a right span for every exchange, and fails
// with what is missing or wrong when it does not come.
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
	trace, err := j.api.Trace(ctx, j.last().trace)
	if err == nil {
		j.trace = trace
		err = j.last().check(trace)
	}
	if err != nil {
		errs = append(errs, fmt.Errorf("trace %s: %w", j.last().traceID(), err))
	}

	// The health checks before the traffic are in the same service.
	found, err := j.api.Find(ctx, jaegerapi.Query{
		Service: serviceName, From: j.exchanges[0].sent.Add(-time.Second), To: time.Now().Add(time.Second), Limit: findLimit,
	})
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	j.spans = countSpans(found)
	if missing := j.unequal(); len(missing) > 0 {
		errs = append(errs, errors.New(strings.Join(missing, "; ")))
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
	case httpStatus(span) != int64(e.status):
		return fmt.Errorf("the server span has the HTTP status %d, not %d", httpStatus(span), e.status)
	case took <= 0 || took > e.took:
		return fmt.Errorf("the server span took %v, where its client waited for %v", took, e.took)
	}
	return nil
}

func serverSpan(trace ptrace.Traces, parent pcommon.SpanID) (ptrace.Span, bool) {
	for span := range spansOf(trace) {
		if span.Kind() == ptrace.SpanKindServer && span.ParentSpanID() == parent {
			return span, true
		}
	}
	return ptrace.Span{}, false
}

func countSpans(traces ptrace.Traces) map[outcome]int {
	counts := map[outcome]int{}
	for span := range spansOf(traces) {
		if span.Kind() == ptrace.SpanKindServer {
			counts[outcome{span.Name(), httpStatus(span)}]++
		}
	}
	return counts
}

func spansOf(traces ptrace.Traces) func(yield func(ptrace.Span) bool) {
	return func(yield func(ptrace.Span) bool) {
		for _, rs := range traces.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					if !yield(span) {
						return
					}
				}
			}
		}
	}
}

func httpStatus(span ptrace.Span) int64 {
	status, _ := span.Attributes().Get(string(semconv.HTTPResponseStatusCodeKey))
	return status.Int()
}

// sent counts the exchanges.
func (j *journey) sent() map[outcome]int {
	counts := map[outcome]int{}
	for _, e := range j.exchanges {
		counts[outcome{e.spanName(), int64(e.status)}]++
	}
	return counts
}

// unequal lists where the numbers of requests and spans differ.
func (j *journey) unequal() []string {
	var differences []string
	sent := j.sent()
	for _, o := range sorted(sent) {
		if sent[o] != j.spans[o] {
			differences = append(differences, fmt.Sprintf("%s, status %d: %d sent, %d spans", o.name, o.status, sent[o], j.spans[o]))
		}
	}
	return differences
}

// writeTable compares what was sent with what arrived.
func (j *journey) writeTable(w io.Writer) {
	const layout = "  %-24s %6v %6v %6v\n"
	sent := j.sent()
	requests, spans := 0, 0
	fmt.Fprintf(w, layout, "span", "status", "sent", "spans")
	for _, o := range sorted(sent) {
		fmt.Fprintf(w, layout, o.name, o.status, sent[o], j.spans[o])
		requests += sent[o]
		spans += j.spans[o]
	}
	fmt.Fprintf(w, layout, "", "", requests, spans)
}

func sorted(counts map[outcome]int) []outcome {
	return slices.SortedFunc(maps.Keys(counts), func(a, b outcome) int {
		if a.name != b.name {
			return strings.Compare(a.name, b.name)
		}
		return int(a.status - b.status)
	})
}
