package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/testbed/demo/jaegerapi"
	"github.com/spanprobe/spanprobe/testbed/demo/waterfall"
)

// Everything of the demo but the receiver: what the receiver would have seen is
// told to Jaeger by the test.
func TestTheTrafficOfAShopIsReadBackFromJaegerAndDrawn(t *testing.T) {
	tree, err := findTree()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := buildJaeger(t.Context(), tree); err != nil { // some five minutes if it is not there
		t.Fatal(err)
	}
	dir, client := t.TempDir(), &http.Client{Timeout: 5 * time.Second}
	ports, err := freePorts(5)
	if err != nil {
		t.Fatal(err)
	}
	shop := storefront{binary: filepath.Join(dir, "storefront"), address: loopback(ports[4])}
	if err := buildGo(t.Context(), tree.testbed(), shop.binary, "./shop/storefront"); err != nil {
		t.Fatal(err)
	}
	jaeger := &jaeger{
		origin: jaegerOrigin{binary: tree.jaeger()},
		ports:  jaegerPorts{query: ports[0], queryGRPC: ports[1], otlpGRPC: ports[2], otlpHTTP: ports[3]},
	}
	if err := jaeger.start(t.Context(), dir, client); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustStop(t, jaeger.process) })
	if err := shop.start(t.Context(), dir, client); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustStop(t, shop.process) })

	j := journey{client: client, shop: shop.url(), api: jaegerapi.Client{URL: jaeger.url(), HTTP: client}}
	if err := j.send(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := j.look(t.Context()); err == nil {
		t.Fatal("nothing is amiss before a span was sent")
	}
	all := traced(j.exchanges)
	export(t, client, jaeger, all)
	if err := j.readBack(t.Context()); err != nil {
		t.Fatal(err)
	}

	var table, drawing bytes.Buffer
	j.writeTable(&table)
	if want := fmt.Sprintf("%d %6[1]d\n", len(calls())); !strings.HasSuffix(table.String(), want) {
		t.Errorf("the table does not end with %q:\n%s", want, &table)
	}
	if err := waterfall.Draw(&drawing, j.trace, waterfall.Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{j.last().traceID(), "storefront  GET /checkout", "200"} {
		if !strings.Contains(drawing.String(), want) {
			t.Errorf("the drawing lacks %q:\n%s", want, &drawing)
		}
	}

	// One span too many is as wrong as one too few.
	export(t, client, jaeger, traced(j.exchanges[:1]))
	bounded, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for err = j.look(bounded); err == nil; err = j.look(bounded) {
	}
	if want := "GET /products, status 200: 3 sent, 4 spans"; !strings.Contains(err.Error(), want) {
		t.Errorf("error %q, want one that says %q", err, want)
	}
}

func TestAWrongTraceIsNotTakenForARightOne(t *testing.T) {
	sent := exchange{
		call:   call{method: "GET", target: "/checkout?cart=a", route: "/checkout", status: 200},
		sent:   time.Now(),
		took:   20 * time.Millisecond,
		trace:  [16]byte{1},
		parent: [8]byte{2},
	}
	if err := sent.check(traced([]exchange{sent})); err != nil {
		t.Errorf("a right trace: %v", err)
	}
	for name, spoil := range map[string]func(ptrace.Span){
		"another parent":       func(s ptrace.Span) { s.SetParentSpanID([8]byte{3}) },
		"no server span":       func(s ptrace.Span) { s.SetKind(ptrace.SpanKindClient) },
		"no route":             func(s ptrace.Span) { s.SetName("GET") },
		"another status":       func(s ptrace.Span) { s.Attributes().PutInt("http.response.status_code", 503) },
		"no status":            func(s ptrace.Span) { s.Attributes().Clear() },
		"an end before start":  func(s ptrace.Span) { s.SetEndTimestamp(s.StartTimestamp() - 1) },
		"longer than the call": func(s ptrace.Span) { s.SetEndTimestamp(s.StartTimestamp() + pcommon.Timestamp(time.Second)) },
	} {
		trace := traced([]exchange{sent})
		spoil(trace.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0))
		if err := sent.check(trace); err == nil {
			t.Errorf("%s: the trace passes for a right one", name)
		}
	}
}

// traced is what a receiver would make of exchanges.
func traced(exchanges []exchange) ptrace.Traces {
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", serviceName)
	spans := resource.ScopeSpans().AppendEmpty().Spans()
	for i, e := range exchanges {
		span := spans.AppendEmpty()
		span.SetTraceID(e.trace)
		if span.TraceID().IsEmpty() {
			span.SetTraceID([16]byte{0xff, byte(i)})
		}
		span.SetSpanID([8]byte{1, byte(i)})
		span.SetParentSpanID(e.parent)
		span.SetKind(ptrace.SpanKindServer)
		span.SetName(e.spanName())
		span.SetStartTimestamp(pcommon.NewTimestampFromTime(e.sent))
		span.SetEndTimestamp(pcommon.NewTimestampFromTime(e.sent.Add(e.took / 2)))
		span.Attributes().PutInt("http.response.status_code", int64(e.status))
	}
	return traces
}

func export(t *testing.T, client *http.Client, j *jaeger, traces ptrace.Traces) {
	t.Helper()
	// TracesData and ExportTraceServiceRequest are the same bytes
	// (opentelemetry/proto/trace/v1/trace.proto says so).
	body, err := new(ptrace.ProtoMarshaler).MarshalTraces(traces)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Post("http://"+loopback(j.ports.otlpHTTP)+"/v1/traces", "application/x-protobuf", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
}
