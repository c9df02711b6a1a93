package nethttp

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// limits are how long attributes may be, in bytes: docs/spans.md, "Lengths".
var limits = map[string]int{
	"http.request.method": 32, "http.request.method_original": 32, "url.path": 640,
	"url.query": 640, "server.address": 128,
	"user_agent.original": 192, "http.route": 192,
}

// hostile are requests that no client of good will sends.
func hostile() map[string]string {
	get := func(target string, headers ...string) string {
		return "GET " + target + " HTTP/1.1\r\nHost: shop.example\r\n" + strings.Join(
			append(headers, "\r\n"), "\r\n",
		)
	}
	bomb := make([]string, 3000)
	for i := range bomb {
		bomb[i] = fmt.Sprintf("X-Bomb-%d: %d", i, i)
	}
	return map[string]string{
		"a header bomb":            get("/nothing", bomb...),
		"one header of a megabyte": get("/nothing", "X-Long: "+strings.Repeat("x", 1<<20)),
		"a user agent of 64 KiB":   get("/nothing", "User-Agent: "+strings.Repeat("ü", 32<<10)),
		"a path of 64 KiB":         get("/nothing/" + strings.Repeat("p", 64<<10)),
		"a path of 640 bytes":      get("/" + strings.Repeat("p", 639)),
		"a path of 641 bytes":      get("/" + strings.Repeat("p", 640)),
		"a query of 64 KiB":        get("/nothing?" + strings.Repeat("q=1&", 16<<10)),
		"a character cut in two":   get("/" + strings.Repeat("p", 638) + "\u00fc"),
		"invalid UTF-8":            get("/\xff\xfe\x80nothing", "User-Agent: \xc3\x28\xa0"),
		"escaped NULs":             get("/%00%00nothing?%00=%00"),
		"a method of 5,000 bytes": strings.Repeat("M",
			5000) + " /nothing HTTP/1.1\r\nHost: shop.example\r\n\r\n",
		"a method in lower case": "get /nothing HTTP/1.1\r\nHost: shop.example\r\n\r\n",
		"a host of 10,000 bytes": "GET /nothing HTTP/1.1\r\nHost: " + strings.Repeat("h",
			10_000) + "\r\n\r\n",
		"a host with a user":          "GET /nothing HTTP/1.1\r\nHost: user@shop.example\r\n\r\n",
		"a host with a port too high": "GET /nothing HTTP/1.1\r\nHost: shop.example:99999\r\n\r\n",
		"a host that is a bracket":    "GET /nothing HTTP/1.1\r\nHost: [\r\n\r\n",
		"an empty host":               "GET /nothing HTTP/1.1\r\nHost:\r\n\r\n",
		"an absolute target":          "GET http://evil.example:1/nothing?a=b HTTP/1.1\r\nHost: shop.example\r\n\r\n",
		"an authority":                "CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n",
		"an asterisk":                 "OPTIONS * HTTP/1.1\r\nHost: shop.example\r\n\r\n",
		"two user agents":             get("/nothing", "User-Agent: one", "User-Agent: two"),
		"a traceparent of 64 KiB":     get("/nothing", "traceparent: "+strings.Repeat("0", 64<<10)),
		"a tracestate of 64 KiB": get("/nothing", "traceparent: "+sampled,
			"tracestate: "+strings.Repeat("a=1,", 16<<10)),
		"a tracestate that is none": get("/nothing", "traceparent: "+sampled,
			"tracestate: \xff\x80,,,=,="),
	}
}

func TestHostileRequestsGiveHonestSpans(t *testing.T) {
	for _, version := range []string{"1.21.13", "1.27.4"} { // both layouts of maps
		build := target.Build{Source: source, Go: version, Flags: []string{target.Stripped}}
		t.Run(build.String(), func(t *testing.T) {
			server := target.Start(t, target.MustCompile(t, build))
			tracer := tracing.Start(t, engine.Config{
				Targets:  []engine.Target{{PID: server.PID}},
				URLQuery: engine.QueryKeep,
			})
			tracer.AwaitTracing(t, 1)
			for name, request := range hostile() {
				before, operations := len(tracer.Spans()), tracer.MustStats(t).Operations
				exchangeOnce(t, server.Address, request)
				if tracer.MustStats(t).Operations == operations {
					continue // refused before any handler
				}
				spans := tracer.Await(t, before+1)
				if len(spans) != before+1 {
					t.Fatalf("%s: %d spans of one request", name, len(spans)-before)
				}
				checkHonest(t, name, request, spans[before])
			}
			served := server.Served(t) + 1 // OPTIONS * goes to a handler of net/http's own
			stats := tracer.MustStats(t)
			if len(tracer.Spans()) != served || stats.Operations != uint64(served) ||
				served < len(hostile())/2 {
				t.Errorf("%d spans of %d requests: %+v", len(tracer.Spans()), served, stats)
			}
		})
	}
}

// checkHonest checks that all attributes are valid, no longer than documented,
// and parts of what was sent.
func checkHonest(t *testing.T, name, request string, span tracing.Span) {
	t.Helper()
	for key, value := range span.Values() {
		text, ok := value.(string)
		if !ok {
			continue
		}
		if !utf8.ValidString(text) {
			t.Errorf("%s: %s is not UTF-8: %q", name, key, text)
		}
		limit, ok := limits[key]
		if !ok {
			continue
		}
		if len(text) > limit {
			t.Errorf("%s: %s has %d bytes, %d are documented", name, key, len(text), limit)
		}
		if key != "http.route" && text != "_OTHER" && !strings.Contains(request, text) &&
			utf8.ValidString(request) {
			t.Errorf("%s: %s is %q, which was not sent", name, key, text)
		}
	}
	if !utf8.ValidString(span.Name()) || !utf8.ValidString(span.TraceState().AsRaw()) ||
		len(span.TraceState().AsRaw()) > 512 {
		t.Errorf("%s: name %q, trace state %q", name, span.Name(), span.TraceState().AsRaw())
	}
	if span.Name() == "" || span.Values()["http.response.status_code"] == nil {
		t.Errorf("%s: named %q, with %v", name, span.Name(), span.Values())
	}
}
