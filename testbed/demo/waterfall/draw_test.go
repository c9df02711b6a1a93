package waterfall

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/testbed/harness/spans"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestATraceIsDrawnAsInTheGoldenFiles(t *testing.T) {
	for name, golden := range map[string]struct {
		trace   ptrace.Traces
		options Options
	}{
		"one-span-80":     {oneSpan(), Options{Width: 80}},
		"services-80":     {twoServices(), Options{Width: 80}},
		"services-120":    {twoServices(), Options{Width: 120}},
		"services-colour": {twoServices(), Options{Width: 100, Color: true}},
		"narrow":          {twoServices(), Options{Width: 10}},
		"grpc-80":         {rpcCalls(), Options{Width: 80}},
		"empty":           {ptrace.NewTraces(), Options{Width: 80}},
	} {
		t.Run(name, func(t *testing.T) {
			got := draw(t, golden.trace, golden.options)
			path := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("the drawing differs from %s (-want +got):\n%s", path, diff)
			}
		})
	}
}

func TestNoLineIsWiderThanTheTerminal(t *testing.T) {
	for width := MinWidth; width <= 130; width++ {
		options := Options{Width: width}
		drawn := draw(t, twoServices(), options) + draw(t, rpcCalls(), options)
		for line := range strings.Lines(drawn) {
			if got := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); got > width {
				t.Errorf("%d columns in a terminal of %d: %s", got, width, line)
			}
		}
	}
}

func TestNothingThatATraceHoldsReachesTheTerminalAsAnEscape(t *testing.T) {
	trace := oneSpan()
	resource := trace.ResourceSpans().At(0)
	span := resource.ScopeSpans().At(0).Spans().At(0)
	resource.Resource().Attributes().PutStr("service.name", "a\x1b[2Jb")
	span.SetName("GET \x1b]0;title\a\r\n")
	span.Attributes().PutStr("url.path", "/\x1b[31m\u202e")
	span.Attributes().PutStr("http.response.status_code", "\x1b[5m")
	if got := draw(t, trace, Options{Width: 80}); strings.ContainsAny(got, "\x1b\a\r\u202e") {
		t.Errorf("the drawing holds control characters: %q", got)
	}
}

func TestSpansWithoutAnEndToTheirAncestorsAreDrawnOnce(t *testing.T) {
	trace := ptrace.NewTraces()
	looped := trace.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for _, link := range [][2]byte{{1, 2}, {2, 1}, {3, 3}, {4, 3}, {4, 3}} {
		span := looped.AppendEmpty()
		span.SetTraceID([16]byte{1})
		span.SetSpanID([8]byte{link[0]})
		span.SetParentSpanID([8]byte{link[1]})
	}
	if got := len(inOrder(spans.Of(trace))); got != looped.Len() {
		t.Errorf("%d rows for %d spans", got, looped.Len())
	}
}

func TestSiblingsAreDrawnInTheOrderOfTheirStart(t *testing.T) {
	trace := twoServices()
	resources := trace.ResourceSpans()
	// Storage gives services back in any order.
	resources.At(1).MoveTo(resources.AppendEmpty())
	resources.At(0).MoveTo(resources.At(1))
	resources.RemoveIf(func(rs ptrace.ResourceSpans) bool { return rs.ScopeSpans().Len() == 0 })
	options := Options{Width: 80}
	if diff := cmp.Diff(draw(t, twoServices(), options), draw(t, trace, options)); diff != "" {
		t.Errorf("another order of the same spans draws another picture:\n%s", diff)
	}
}

func TestDurationsShowThreeDigits(t *testing.T) {
	for duration, want := range map[time.Duration]string{
		0:                        "0 ns",
		999:                      "999 ns",
		1500:                     "1.50 µs",
		99_949:                   "99.9 µs",
		999_400:                  "999 µs",
		999_600:                  "1.00 ms",
		9_996 * time.Microsecond: "10.0 ms",
		12_345_678:               "12.3 ms",
		3 * time.Minute:          "180 s",
	} {
		if got := format(duration); got != want {
			t.Errorf("%d ns: %q, want %q", duration, got, want)
		}
	}
}

func draw(t *testing.T, trace ptrace.Traces, options Options) string {
	t.Helper()
	var out bytes.Buffer
	if err := Draw(&out, spans.Of(trace), options); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func oneSpan() ptrace.Traces {
	trace := ptrace.NewTraces()
	storefront := addService(trace, "storefront", 4711)
	addSpan(storefront, 1, 0xb7, "GET /products/{id}", server, 0, 84, map[string]any{
		"http.response.status_code": 200,
		"url.path":                  "/products/kettle",
		"server.address":            "127.0.0.1",
		"server.port":               41873,
		"client.address":            "127.0.0.1",
		"network.protocol.version":  "1.1",
		"user_agent.original":       "spanprobe-demo",
	})
	return trace
}

func twoServices() ptrace.Traces {
	trace := ptrace.NewTraces()
	storefront := addService(trace, "storefront", 4711)
	top := addSpan(storefront, 1, 0, "GET /checkout", server, 0, 12400, map[string]any{
		"http.response.status_code": 503,
		"error.type":                "503",
		"url.path":                  "/checkout",
		"url.query":                 "cart=REDACTED",
		"server.address":            "127.0.0.1",
		"server.port":               41873,
		"client.address":            "127.0.0.1",
	})
	top.Status().SetCode(ptrace.StatusCodeError)
	addSpan(storefront, 2, 1, "GET", client, 300, 1700, map[string]any{
		"http.response.status_code": 200, "server.address": "127.0.0.1", "server.port": 41874,
	})
	addSpan(storefront, 4, 1, "POST", client, 1900, 12100, map[string]any{
		"http.response.status_code": 502, "server.address": "127.0.0.1", "server.port": 41875,
	})
	backends := addService(trace, "payments-of-the-whole-world", 4712)
	name := "POST /charges/{id}/attempts/{attempt}"
	charge := addSpan(backends, 5, 4, name, server, 2100, 11950, map[string]any{
		"http.response.status_code": 502,
		"url.path":                  "/charges/17/attempts/" + strings.Repeat("x", 150),
	})
	charge.Status().SetCode(ptrace.StatusCodeError)
	charge.Status().SetMessage("the bank hung up")
	addSpan(backends, 6, 5, "SELECT accounts", client, 11940, 11945, nil)
	return trace
}

func rpcCalls() ptrace.Traces {
	trace := ptrace.NewTraces()
	checkout := addService(trace, "checkout", 4711)
	top := addSpan(checkout, 1, 0, "shop.v1.Checkout/PlaceOrder", server, 0, 9000, map[string]any{
		"rpc.system.name":          "grpc",
		"rpc.response.status_code": "UNAVAILABLE",
		"error.type":               "UNAVAILABLE",
	})
	top.Status().SetCode(ptrace.StatusCodeError)
	reserve := "shop.v1.Inventory/Reserve"
	addSpan(checkout, 2, 1, reserve, client, 1000, 3000, map[string]any{
		"rpc.system.name": "grpc", "rpc.response.status_code": "FAILED_PRECONDITION",
	}).Status().SetCode(ptrace.StatusCodeError)
	inventory := addService(trace, "inventory", 4712)
	addSpan(inventory, 3, 2, reserve, server, 1500, 2500, map[string]any{
		"rpc.system.name": "grpc", "rpc.response.status_code": "OK",
	})
	return trace
}

const server, client = ptrace.SpanKindServer, ptrace.SpanKindClient

func addService(trace ptrace.Traces, name string, pid int64) ptrace.SpanSlice {
	resource := trace.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", name)
	resource.Resource().Attributes().PutInt("process.pid", pid)
	return resource.ScopeSpans().AppendEmpty().Spans()
}

// addSpan adds a span that starts and ends so many microseconds after the others' epoch.
func addSpan(
	service ptrace.SpanSlice, id, parent byte, name string, kind ptrace.SpanKind,
	start, end time.Duration, attributes map[string]any,
) ptrace.Span {
	epoch := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	span := service.AppendEmpty()
	span.SetTraceID([16]byte{
		0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6,
		0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36,
	})
	span.SetSpanID([8]byte{7: id})
	span.SetParentSpanID([8]byte{7: parent})
	span.SetName(name)
	span.SetKind(kind)
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(epoch.Add(start * time.Microsecond)))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(epoch.Add(end * time.Microsecond)))
	if err := span.Attributes().FromRaw(attributes); err != nil {
		panic(err)
	}
	return span
}
