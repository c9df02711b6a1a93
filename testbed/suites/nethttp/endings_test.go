package nethttp

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// endings are requests whose handlers do not end by returning, over HTTP/1.
func endings() []exchange {
	get := func(path string) string {
		return "GET " + path + " HTTP/1.1\r\nHost: shop.example\r\n\r\n"
	}
	return []exchange{
		{
			name: "a panic", request: get("/panic"), route: "/panic",
			want: span{
				Name: "GET /panic", Status: ptrace.StatusCodeError,
				Attributes: attributes(map[string]any{
					"url.path": "/panic", "http.response.status_code": nil, "error.type": "panic",
				}),
			},
		},
		{
			name: "a panic after a status was written", request: get("/panic?code=201"),
			route: "/panic",
			want: span{
				Name: "GET /panic", Status: ptrace.StatusCodeError,
				Attributes: attributes(map[string]any{
					"url.path": "/panic", "url.query": "code=REDACTED",
					"http.response.status_code": int64(201), "error.type": "panic",
				}),
			},
		},
		{
			name: "http.ErrAbortHandler", request: get("/abort"), route: "/abort",
			want: span{
				Name: "GET /abort", Status: ptrace.StatusCodeError,
				Attributes: attributes(map[string]any{
					"url.path": "/abort", "http.response.status_code": nil,
					"error.type": "http.ErrAbortHandler",
				}),
			},
		},
		{
			name: "runtime.Goexit", request: get("/exit"), route: "/exit",
			want: span{
				Name: "GET /exit", Status: ptrace.StatusCodeError,
				Attributes: attributes(map[string]any{
					"url.path": "/exit", "http.response.status_code": nil,
					"error.type": "runtime.Goexit",
				}),
			},
		},
		{
			name: "a panic that is recovered", request: get("/recover"), route: "/recover",
			want: span{
				Name: "GET /recover", Status: ptrace.StatusCodeError,
				Attributes: attributes(map[string]any{
					"url.path": "/recover", "http.response.status_code": int64(502),
					"error.type": "502",
				}),
			},
		},
		{
			name: "a hijacked connection", request: get("/hijack"), route: "/hijack",
			want: span{Name: "GET /hijack", Attributes: attributes(map[string]any{
				"url.path": "/hijack", "http.response.status_code": nil,
			})},
		},
	}
}

func TestAHandlerThatDoesNotReturnHasASpanThatSaysSo(t *testing.T) {
	for _, build := range versions() {
		t.Run(build.String(), func(t *testing.T) {
			server := target.Start(t, target.MustCompile(t, build))
			// Three entries: what stayed behind would soon fill them.
			tracer := tracing.Start(t, engine.Config{
				Targets:        []engine.Target{{PID: server.PID}},
				MaxActiveSpans: 3,
			})
			tracer.AwaitTracing(t, 1)
			for i, exchange := range endings() {
				port := exchangeOnce(t, server.Address, exchange.request)
				spans := tracer.Await(t, i+1)
				if len(spans) != i+1 {
					t.Fatalf("%s: %d spans of %d requests", exchange.name, len(spans), i+1)
				}
				want := exchange.want
				want.Kind = ptrace.SpanKindServer
				want.Attributes["network.peer.port"] = int64(port)
				if hasPatterns(build) {
					want.Attributes["http.route"] = exchange.route
				} else {
					want.Name, _, _ = strings.Cut(want.Name, " ")
				}
				if diff := cmp.Diff(want, compared(spans[i], want)); diff != "" {
					t.Errorf("%s: the span is not what happened (-want +got):\n%s", exchange.name,
						diff)
				}
			}
			stats := tracer.MustStats(t)
			if stats.Operations != uint64(len(endings())) || stats.Active != 0 ||
				tracing.Lost(stats) != 0 {
				t.Errorf("nothing is lost or left behind: %+v", stats)
			}
		})
	}
}

// exchangeOnce sends one request over a connection of its own, reads what comes
// until the server closes it or has answered, and returns the client's port.
func exchangeOnce(t *testing.T, address, request string) int {
	t.Helper()
	client, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.SetDeadline(time.Now().Add(tracing.Patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(client, request); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 4096)); err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("%q: %v", request, err)
	}
	return client.LocalAddr().(*net.TCPAddr).Port
}

func TestAServerThatAnswersWithoutAHandlerGivesNoSpan(t *testing.T) {
	server := target.Start(t, target.MustCompile(t, newest))
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
	tracer.AwaitTracing(t, 1)
	for _, request := range []string{
		"nonsense of some length\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n", // no Host
		"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
		"GET / HTTP/9.0\r\nHost: shop.example\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: shop.example\r\nExpect: wonders\r\n\r\n",
	} {
		exchangeOnce(t, server.Address, request)
	}
	exchangeOnce(t, server.Address, "GET /nothing HTTP/1.1\r\nHost: shop.example\r\n\r\n")
	spans := tracer.Await(t, 1)
	if stats := tracer.MustStats(t); len(spans) != 1 || stats.Operations != 1 ||
		server.Served(t) != 1 {
		t.Errorf("%d spans, and one request that reached a handler: %+v", len(spans), stats)
	}
}

func TestAClientThatGoesAwayLeavesItsSpan(t *testing.T) {
	server := target.Start(t, target.MustCompile(t, newest))
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
	tracer.AwaitTracing(t, 1)
	client, err := net.Dial("tcp", server.Address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(client,
		"GET /slow?for=300ms HTTP/1.1\r\nHost: shop.example\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	tracing.Eventually(t, func() bool {
		return tracer.MustStats(t).Active == 1
	}, "the request to arrive")
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	span := tracer.Await(t, 1)[0]
	if took := span.EndTimestamp().
		AsTime().
		Sub(span.StartTimestamp().AsTime()); took.Milliseconds() < 300 ||
		span.Values()["url.path"] != "/slow" {
		t.Errorf("a span of %v of %v", took, span.Values())
	}
}

func TestTenThousandRequestsInFlightHaveTheirSpans(t *testing.T) {
	server := target.Start(t, target.MustCompile(t, newest))
	tracer := tracing.Start(t, engine.Config{
		Targets:        []engine.Target{{PID: server.PID}},
		RingBufferSize: 16 << 20,
	})
	tracer.AwaitTracing(t, 1)
	const requests = 10_000
	clients := make([]net.Conn, 0, requests)
	defer func() {
		for _, client := range clients {
			client.Close()
		}
	}()
	for range requests {
		client, err := net.Dial("tcp", server.Address)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, client)
		if _, err := io.WriteString(client,
			"GET /gather?n=10000 HTTP/1.1\r\nHost: shop.example\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	spans := tracer.Await(t, requests)
	stats := tracer.MustStats(t)
	if len(spans) != requests || stats.Operations != requests || tracing.Lost(stats) != 0 {
		t.Fatalf("%d spans of %d requests: %+v", len(spans), requests, stats)
	}
	inFlightTogether(t, spans)
}
