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
	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

// Everything of the demo but the receiver: what the receiver would have seen is
// told to Jaeger by the test.
func TestTheTrafficOfAShopIsReadBackFromJaegerAndDrawn(t *testing.T) {
	root, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("make", "dist/jaeger", "dist/shop") // minutes if Jaeger is not there
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
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
		all += len(e.outcomes())
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

// traced is what a receiver would make of exchanges: a trace of each. The first span of a trace is
// the parent of all others.
func traced(exchanges []exchange) ptrace.Traces {
	traces := ptrace.NewTraces()
	now := pcommon.NewTimestampFromTime(time.Now())
	for i, e := range exchanges {
		trace := e.trace
		if trace == [16]byte{} {
			trace = [16]byte{0xff, byte(i)}
		}
		for n, due := range e.outcomes() {
			resource := traces.ResourceSpans().AppendEmpty()
			resource.Resource().Attributes().PutStr("service.name", due.service)
			span := resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
			span.SetTraceID(trace)
			span.SetSpanID(pcommon.SpanID{1, byte(i), byte(n)})
			if n > 0 {
				span.SetParentSpanID(pcommon.SpanID{1, byte(i)})
			}
			span.SetKind(due.kind)
			span.SetName(due.name)
			span.SetStartTimestamp(now)
			span.SetEndTimestamp(now + 1000)
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
