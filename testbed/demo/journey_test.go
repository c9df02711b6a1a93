package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/testbed/demo/waterfall"
	"github.com/spanprobe/spanprobe/testbed/harness/spans"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

// Everything of the demo but the receiver: what the receiver would have seen is
// told to Jaeger by the test.
func TestTheTrafficOfAShopIsReadBackFromJaegerAndDrawn(t *testing.T) {
	root, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	make := exec.Command("make", "dist/jaeger", "dist/shop") // minutes if Jaeger is not there
	make.Dir = root
	if output, err := make.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	dir := t.TempDir()
	shop := newShop(filepath.Join(root, "dist", "shop"), dir)
	jaeger := &jaeger{binary: filepath.Join(root, "dist", "jaeger"), dir: dir}
	t.Cleanup(func() {
		if err := errors.Join(shop.stop(), jaeger.stop()); err != nil {
			t.Error(err)
		}
	})
	if _, err := jaeger.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := shop.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := shop.visit(t.Context()); err != nil {
		t.Fatal(err)
	}

	j := journey{shop: shop, jaeger: jaeger}
	if _, err := j.send(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := j.look(t.Context()); err == nil {
		t.Fatal("nothing is amiss before a span was sent")
	}
	export(t, jaeger, traced(j.exchanges))
	if err := jaeger.process.Await(t.Context(), patience, j.look); err != nil {
		t.Fatal(err)
	}

	var table, drawing bytes.Buffer
	j.writeTable(&table)
	all := 0
	for _, e := range j.exchanges {
		all += len(e.nodes())
	}
	if want := fmt.Sprintf("%d  %5[1]d\n", all); !strings.HasSuffix(table.String(), want) {
		t.Errorf("the table does not end with %q:\n%s", want, &table)
	}
	if err := waterfall.Draw(&drawing, j.trace, waterfall.Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{j.last().trace.String(), "storefront  GET /checkout", "200"} {
		if !strings.Contains(drawing.String(), want) {
			t.Errorf("the drawing lacks %q:\n%s", want, &drawing)
		}
	}

	// A span too many is as wrong as one too few, and as a span that is not due at all.
	unwanted := j.exchanges[0]
	unwanted.Hops = []string{"payments inventory shop.v1.Inventory/Reserve OK\n"}
	export(t, jaeger, traced([]exchange{unwanted}))
	for _, want := range []string{
		`storefront Server "GET /products", status 200: 3 due, 4 spans`,
		`payments Client "shop.v1.Inventory/Reserve", status OK: 0 due, 1 spans`,
	} {
		err := jaeger.process.Await(t.Context(), 10*time.Second, func(ctx context.Context) error {
			if err := j.look(ctx); err == nil || !strings.Contains(err.Error(), want) {
				return fmt.Errorf("error %w, want one that says %q", err, want)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestAWrongTraceIsNotTakenForARightOne(t *testing.T) {
	sent := exchange{
		call: call{
			Method: "GET", Target: "/checkout?cart=a", Span: "GET /checkout", Status: 200,
			Hops: []string{shown, shown, placed},
		},
		sent:   time.Now(),
		took:   20 * time.Millisecond,
		trace:  [16]byte{1},
		parent: [8]byte{2},
	}
	if err := sent.check(spans.Of(traced([]exchange{sent}))); err != nil {
		t.Errorf("a right trace: %v", err)
	}
	for name, spoil := range map[string]func(ptrace.Span){
		"another parent": func(s ptrace.Span) { s.SetParentSpanID([8]byte{3}) },
		"no server span": func(s ptrace.Span) { s.SetKind(ptrace.SpanKindClient) },
		"no route":       func(s ptrace.Span) { s.SetName("GET") },
		"another status": func(s ptrace.Span) {
			s.Attributes().PutInt("http.response.status_code", 503)
		},
		"no status":           func(s ptrace.Span) { s.Attributes().Clear() },
		"an end before start": func(s ptrace.Span) { s.SetEndTimestamp(s.StartTimestamp() - 1) },
		"longer than the call": func(s ptrace.Span) {
			s.SetEndTimestamp(s.StartTimestamp() + pcommon.Timestamp(time.Second))
		},
	} {
		trace := traced([]exchange{sent})
		spoil(nth(trace, 0))
		if err := sent.check(spans.Of(trace)); err == nil {
			t.Errorf("%s: the trace passes for a right one", name)
		}
	}
	for name, spoil := range map[string]func(ptrace.Traces){
		"a call without a parent":     below(3, -1),
		"a call of another's request": below(3, 6),
		"a request of another's call": below(10, 1),
		"a request below itself":      below(2, 4),
		"a call that failed": func(t ptrace.Traces) {
			nth(t, 9).Attributes().PutStr("rpc.response.status_code", "ABORTED")
		},
		"a span that is missing": func(t ptrace.Traces) {
			last := t.ResourceSpans().Len() - 1
			t.ResourceSpans().RemoveIf(func(ptrace.ResourceSpans) bool { last--; return last < 0 })
		},
		"a span that is there twice": func(t ptrace.Traces) { nth(t, 14).CopyTo(appended(t)) },
		"a span of somebody else": func(t ptrace.Traces) {
			appended(t).SetSpanID(pcommon.SpanID{9})
		},
	} {
		trace := traced([]exchange{sent})
		spoil(trace)
		if err := sent.check(spans.Of(trace)); err == nil {
			t.Errorf("%s: the trace passes for a right one", name)
		}
	}
}

// below sets a span below another, or, for -1, below none.
func below(span, parent int) func(ptrace.Traces) {
	return func(t ptrace.Traces) {
		var id pcommon.SpanID
		if parent >= 0 {
			id = nth(t, parent).SpanID()
		}
		nth(t, span).SetParentSpanID(id)
	}
}

func appended(traces ptrace.Traces) ptrace.Span {
	return traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
}

// nth is a span that traced made, each of which has a resource of its own.
func nth(traces ptrace.Traces, n int) ptrace.Span {
	return traces.ResourceSpans().At(n).ScopeSpans().At(0).Spans().At(0)
}

// traced is what a receiver would make of exchanges: a trace of each, below the request's parent if
// it has one.
func traced(exchanges []exchange) ptrace.Traces {
	traces := ptrace.NewTraces()
	for i, e := range exchanges {
		trace := e.trace
		id := func(of pcommon.SpanID) pcommon.SpanID { of[0], of[1] = 1, byte(i); return of }
		if trace == [16]byte{} {
			trace = [16]byte{0xff, byte(i)}
		}
		for _, due := range e.nodes() {
			resource := traces.ResourceSpans().AppendEmpty()
			resource.Resource().Attributes().PutStr("service.name", due.service)
			span := resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
			span.SetTraceID(trace)
			span.SetSpanID(id(due.id))
			if due.parent.IsEmpty() {
				span.SetParentSpanID(e.parent)
			} else {
				span.SetParentSpanID(id(due.parent))
			}
			span.SetKind(due.kind)
			span.SetName(due.name)
			span.SetStartTimestamp(pcommon.NewTimestampFromTime(e.sent))
			span.SetEndTimestamp(pcommon.NewTimestampFromTime(e.sent.Add(e.took / 2)))
			if code, err := strconv.ParseInt(due.status, 10, 64); err == nil {
				span.Attributes().PutInt("http.response.status_code", code)
			} else {
				span.Attributes().PutStr("rpc.response.status_code", due.status)
			}
		}
	}
	return traces
}

func export(t *testing.T, j *jaeger, traces ptrace.Traces) {
	t.Helper()
	// TracesData and ExportTraceServiceRequest are the same bytes
	// (opentelemetry/proto/trace/v1/trace.proto says so).
	body, err := new(ptrace.ProtoMarshaler).MarshalTraces(traces)
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + j.OTLPHTTP + "/v1/traces"
	response, err := client.Post(url, "application/x-protobuf", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
}
