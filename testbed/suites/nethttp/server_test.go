// Package nethttp tests the tracing of net/http servers on real binaries in the
// running kernel. It needs root.
package nethttp

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

const source = "testbed/targets/nethttp"

const (
	traceID  = "0af7651916cd43dd8448eb211c80319c"
	parentID = "b7ad6b7169203331"
	sampled  = "00-" + traceID + "-" + parentID + "-01"
)

// exchange is one request, and the span that it must give.
type exchange struct {
	name    string
	request string // as it goes over the wire
	want    span
	// route is what a ServeMux of Go 1.22 and later, which has patterns, adds.
	route string
}

// span is all of a span but what changes from run to run.
type span struct {
	Name       string
	Kind       ptrace.SpanKind
	Status     ptrace.StatusCode
	TraceID    string // "" for a new one
	ParentID   string
	TraceState string
	Attributes map[string]any
}

func attributes(changes map[string]any) map[string]any {
	all := map[string]any{
		"http.request.method":       "GET",
		"http.response.status_code": int64(200),
		"url.scheme":                "http",
		"server.address":            "shop.example",
		"client.address":            "127.0.0.1",
		"network.peer.address":      "127.0.0.1",
		"network.protocol.version":  "1.1",
	}
	for key, value := range changes {
		if value == nil {
			delete(all, key)
		} else {
			all[key] = value
		}
	}
	return all
}

func exchanges() []exchange {
	headers := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "X-Header-%d: value %d\r\n", i, i)
		}
		return b.String()
	}
	list := []exchange{
		{
			name:    "plain",
			request: "GET /hello/bob?token=secret&x HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: test/1\r\n\r\n",
			route:   "/hello/{name}",
			want: span{Name: "GET /hello/{name}", Attributes: attributes(map[string]any{
				"url.path": "/hello/bob", "url.query": "token=REDACTED&REDACTED",
				"server.port":         int64(8080),
				"user_agent.original": "test/1",
			})},
		},
		{
			name:    "HTTP/1.0 without a host",
			request: "GET /hello/old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
			route:   "/hello/{name}",
			want: span{Name: "GET /hello/{name}", Attributes: attributes(map[string]any{
				"url.path": "/hello/old", "server.address": nil, "network.protocol.version": "1.0",
			})},
		},
		{
			name:    "a handler that writes nothing",
			request: "GET /nothing HTTP/1.1\r\nHost: shop.example\r\n\r\n",
			route:   "/nothing",
			want: span{
				Name:       "GET /nothing",
				Attributes: attributes(map[string]any{"url.path": "/nothing"}),
			},
		},
		{
			name:    "an error of the server's",
			request: "GET /status?code=503 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
			route:   "/status",
			want: span{
				Name: "GET /status", Status: ptrace.StatusCodeError,
				Attributes: attributes(map[string]any{
					"url.path": "/status", "url.query": "code=REDACTED",
					"http.response.status_code": int64(503), "error.type": "503",
					"server.address": "::1", "server.port": int64(80),
				}),
			},
		},
		{
			name:    "an error of the client's",
			request: "GET /status?code=418 HTTP/1.1\r\nHost: shop.example\r\n\r\n",
			route:   "/status",
			want: span{Name: "GET /status", Attributes: attributes(map[string]any{
				"url.path": "/status", "url.query": "code=REDACTED",
				"http.response.status_code": int64(418),
			})},
		},
		{
			name:    "no route",
			request: "GET /nowhere HTTP/1.1\r\nHost: shop.example\r\n\r\n",
			want: span{Name: "GET", Attributes: attributes(map[string]any{
				"url.path":                  "/nowhere",
				"http.response.status_code": int64(404),
			})},
		},
		{
			name:    "an unknown method",
			request: "BREW /nothing HTTP/1.1\r\nHost: shop.example\r\n\r\n",
			route:   "/nothing",
			want: span{Name: "HTTP /nothing", Attributes: attributes(map[string]any{
				"http.request.method": "_OTHER", "http.request.method_original": "BREW",
				"url.path": "/nothing",
			})},
		},
		{
			name:    "a handler that changes its request",
			request: "POST /mutate/it?a=b HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: test/2\r\nContent-Length: 0\r\n\r\n",
			route:   "/mutate/{what...}",
			want: span{Name: "POST /mutate/{what...}", Attributes: attributes(map[string]any{
				"http.request.method": "POST", "url.path": "/mutate/it", "url.query": "a=REDACTED",
				"http.response.status_code": int64(202), "user_agent.original": "test/2",
			})},
		},
		{
			name:    "absolute form",
			request: "GET http://other.example/nothing?q=1 HTTP/1.1\r\nHost: shop.example\r\n\r\n",
			route:   "/nothing",
			want: span{Name: "GET /nothing", Attributes: attributes(map[string]any{
				"url.path": "/nothing", "url.query": "q=REDACTED",
				"server.address": "other.example",
			})},
		},
		{
			name:    "a remote parent with a state",
			request: "GET /nothing HTTP/1.1\r\nHost: shop.example\r\nTRACEPARENT: " + sampled + "\r\ntracestate: a=1,b=2\r\nTraceState: c=3\r\n\r\n",
			route:   "/nothing",
			want: span{
				Name: "GET /nothing", TraceID: traceID, ParentID: parentID,
				TraceState: "a=1,b=2,c=3",
				Attributes: attributes(map[string]any{"url.path": "/nothing"}),
			},
		},
		{
			name: "a parent whose state has many lines",
			request: "GET /nothing HTTP/1.1\r\nHost: shop.example\r\ntraceparent: " + sampled + strings.Repeat(
				"\r\ntracestate: a=1",
				6,
			) + "\r\n\r\n",
			route: "/nothing",
			want: span{
				Name: "GET /nothing", TraceID: traceID, ParentID: parentID,
				TraceState: "a=1,a=1,a=1",
				Attributes: attributes(map[string]any{"url.path": "/nothing"}),
			},
		},
		{
			name: "an invalid parent",
			request: "GET /nothing HTTP/1.1\r\nHost: shop.example\r\ntraceparent: " + strings.ToUpper(
				sampled,
			) + "\r\ntracestate: a=1\r\n\r\n",
			route: "/nothing",
			want: span{
				Name:       "GET /nothing",
				Attributes: attributes(map[string]any{"url.path": "/nothing"}),
			},
		},
		{
			name:    "two parents",
			request: "GET /nothing HTTP/1.1\r\nHost: shop.example\r\ntraceparent: " + sampled + "\r\ntraceparent: " + sampled + "\r\n\r\n",
			route:   "/nothing",
			want: span{
				Name:       "GET /nothing",
				Attributes: attributes(map[string]any{"url.path": "/nothing"}),
			},
		},
		{
			name: "long values",
			request: "GET /nothing/" + strings.Repeat("é",
				400) + " HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: " + strings.Repeat("u",
				500) + "\r\ntraceparent: " + sampled + "\r\ntracestate: " + longState + "\r\n\r\n",
			want: span{
				Name: "GET", TraceID: traceID, ParentID: parentID, TraceState: cutState,
				Attributes: attributes(map[string]any{
					"url.path": "/nothing/" + strings.Repeat("é",
						315), "http.response.status_code": int64(404),
					"user_agent.original": strings.Repeat("u", 192),
				}),
			},
		},
	}
	for _, n := range []int{1, 6, 7, 8, 9, 15, 30, 60} {
		list = append(list, exchange{
			name: fmt.Sprintf("among %d headers", n),
			request: "GET /nothing HTTP/1.1\r\nHost: shop.example\r\n" + headers(
				n/2,
			) + "traceparent: " + sampled + "\r\n" + headers(n)[len(headers(n/2)):] + "User-Agent: test/3\r\n\r\n",
			route: "/nothing",
			want: span{
				Name: "GET /nothing", TraceID: traceID, ParentID: parentID,
				Attributes: attributes(map[string]any{
					"url.path":            "/nothing",
					"user_agent.original": "test/3",
				}),
			},
		})
	}
	return list
}

// longState has 30 entries of 20 bytes: 629 with the commas, of which 512 are
// kept, which are 24 whole entries and a part.
var (
	longState = strings.TrimSuffix(strings.Repeat("vendor@x=0123456789,", 30), ",")
	cutState  = longState[:25*20-1]
)

func TestEverySpanSaysWhatTheClientKnows(t *testing.T) {
	for _, build := range versions() {
		t.Run(build.String(), func(t *testing.T) {
			executable := target.MustCompile(t, build)
			server := target.Start(t, executable)
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{
				Exe:         executable,
				ServiceName: "shop",
			}}})
			tracer.AwaitTracing(t, 1)

			client, err := net.Dial("tcp", server.Address)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			answers := bufio.NewReader(client)
			before := time.Now()
			for _, exchange := range exchanges() {
				if _, err := client.Write([]byte(exchange.request)); err != nil {
					t.Fatal(err)
				}
				response, err := http.ReadResponse(answers,
					&http.Request{Method: strings.Fields(exchange.request)[0]})
				if err != nil {
					t.Fatalf("%s: %v", exchange.name, err)
				}
				response.Body.Close()
			}
			after := time.Now()
			spans := tracer.Await(t, len(exchanges()))
			if len(spans) != len(exchanges()) {
				t.Fatalf("%d spans for %d requests", len(spans), len(exchanges()))
			}
			seen := map[string]bool{}
			for i, exchange := range exchanges() {
				want := exchange.want
				want.Kind = ptrace.SpanKindServer
				want.Attributes["network.peer.port"] = int64(client.LocalAddr().(*net.TCPAddr).Port)
				if exchange.route != "" && hasPatterns(build) {
					want.Attributes["http.route"] = exchange.route
				} else {
					want.Name, _, _ = strings.Cut(want.Name, " ")
				}
				got := spans[i]
				if diff := cmp.Diff(want, compared(got, want)); diff != "" {
					t.Errorf("%s: the span is not what was sent (-want +got):\n%s", exchange.name,
						diff)
				}
				if got.SpanID().IsEmpty() || got.TraceID().IsEmpty() ||
					seen[got.SpanID().String()] {
					t.Errorf("%s: span %s of trace %s", exchange.name, got.SpanID(), got.TraceID())
				}
				seen[got.SpanID().String()] = true
				if start, end := got.StartTimestamp().
					AsTime(),
					got.EndTimestamp().
						AsTime(); start.Before(before.Add(-clockError)) || end.After(after.Add(clockError)) ||
					end.Before(start) {
					t.Errorf("%s: from %v to %v, while the requests were made from %v to %v",
						exchange.name, start, end, before, after)
				}
			}
			checkResource(t, spans[0], server, build)
			stats := tracer.MustStats(t)
			if stats.Operations != uint64(len(spans)) || tracing.Lost(stats) != 0 ||
				stats.ProbeHits != 2*stats.Operations {
				t.Errorf("two hits for each of %d requests and no loss expected: %+v", len(spans),
					stats)
			}
		})
	}
}

// clockError is how far the two clocks may be read apart.
const clockError = time.Millisecond

// compared takes what is compared out of a span that came.
func compared(got tracing.Span, want span) span {
	s := span{
		Name: got.Name(), Kind: got.Kind(), Status: got.Status().Code(),
		TraceState: got.TraceState().AsRaw(), Attributes: got.Values(),
	}
	if !got.ParentSpanID().IsEmpty() {
		s.ParentID = got.ParentSpanID().String()
	}
	if want.TraceID != "" || s.ParentID != "" {
		s.TraceID = got.TraceID().String()
	}
	return s
}

func checkResource(t *testing.T, got tracing.Span, server *target.Server, build target.Build) {
	t.Helper()
	for key, want := range map[string]any{
		"service.name":            "shop",
		"process.pid":             int64(server.PID),
		"process.runtime.name":    "go",
		"process.runtime.version": "go" + build.Go,
		"telemetry.sdk.name":      "spanprobe",
		"telemetry.sdk.language":  "go",
	} {
		if got.Resource[key] != want {
			t.Errorf("resource: %s is %v, not %v", key, got.Resource[key], want)
		}
	}
	if want := "github.com/spanprobe/spanprobe/net/http"; got.Scope != want {
		t.Errorf("scope %q, not %q", got.Scope, want)
	}
}

func TestWhatTheCallerDoesNotSampleHasNoSpan(t *testing.T) {
	executable := target.MustCompile(t, target.Build{Source: source, Go: "1.26.8"})
	server := target.Start(t, executable)
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
	tracer.AwaitTracing(t, 1)
	for i := range 10 {
		request, err := http.NewRequest(http.MethodGet,
			"http://"+server.Address+"/hello/"+strconv.Itoa(i), nil)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			request.Header.Set("traceparent", strings.TrimSuffix(sampled, "1")+"0")
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	spans := tracer.Await(t, 5)
	stats := tracer.MustStats(t)
	if len(spans) != 5 || stats.NotSampled != 5 || stats.Operations != 10 {
		t.Errorf("%d spans of 10 requests, half of them not sampled: %+v", len(spans), stats)
	}
}
