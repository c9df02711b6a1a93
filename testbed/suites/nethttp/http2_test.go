package nethttp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// call is one request over HTTP/2, and the span that it must give.
type call struct {
	name    string
	method  string
	path    string
	header  map[string]string
	body    string
	breaks  bool // no answer comes
	want    span
	changes map[string]any // of the attributes that all have
	route   string
}

func calls() []call {
	return []call{
		{
			name: "plain", method: "GET", path: "/hello/bob?token=secret",
			header: map[string]string{"User-Agent": "test/1"},
			route:  "/hello/{name}",
			want:   span{Name: "GET /hello/{name}"},
			changes: map[string]any{
				"url.path": "/hello/bob", "url.query": "token=REDACTED",
				"user_agent.original": "test/1",
			},
		},
		{
			name: "with a parent", method: "GET", path: "/nothing",
			header: map[string]string{"traceparent": sampled, "tracestate": "a=1"},
			route:  "/nothing",
			want: span{
				Name: "GET /nothing", TraceID: traceID, ParentID: parentID,
				TraceState: "a=1",
			},
			changes: map[string]any{"url.path": "/nothing"},
		},
		{
			name: "with a body, and a handler that does not read it", method: "POST",
			path: "/status?code=503", body: strings.Repeat("x", 100_000),
			route: "/status",
			want:  span{Name: "POST /status", Status: ptrace.StatusCodeError},
			changes: map[string]any{
				"http.request.method": "POST", "url.path": "/status", "url.query": "code=REDACTED",
				"http.response.status_code": int64(503), "error.type": "503",
			},
		},
		{
			name: "no route", method: "GET", path: "/nowhere",
			want: span{Name: "GET"},
			changes: map[string]any{
				"url.path":                  "/nowhere",
				"http.response.status_code": int64(404),
			},
		},
		{
			name: "many headers", method: "GET", path: "/nothing", header: manyHeaders(60),
			route:   "/nothing",
			want:    span{Name: "GET /nothing", TraceID: traceID, ParentID: parentID},
			changes: map[string]any{"url.path": "/nothing"},
		},
		{
			name: "a handler that changes its request", method: "GET", path: "/mutate/it",
			route: "/mutate/{what...}",
			want:  span{Name: "GET /mutate/{what...}"},
			changes: map[string]any{
				"url.path":                  "/mutate/it",
				"http.response.status_code": int64(202),
			},
		},
		{
			name: "a handler that panics", method: "GET", path: "/panic", breaks: true,
			route: "/panic",
			want:  span{Name: "GET /panic", Status: ptrace.StatusCodeError},
			changes: map[string]any{
				"url.path": "/panic", "http.response.status_code": nil,
				"error.type": "panic",
			},
		},
		{
			name: "a handler that aborts", method: "GET", path: "/abort", breaks: true,
			route: "/abort",
			want:  span{Name: "GET /abort", Status: ptrace.StatusCodeError},
			changes: map[string]any{
				"url.path": "/abort", "http.response.status_code": nil,
				"error.type": "http.ErrAbortHandler",
			},
		},
		{
			name: "a handler that recovers", method: "GET", path: "/recover",
			route: "/recover",
			want:  span{Name: "GET /recover", Status: ptrace.StatusCodeError},
			changes: map[string]any{
				"url.path": "/recover", "http.response.status_code": int64(502),
				"error.type": "502",
			},
		},
	}
}

func manyHeaders(n int) map[string]string {
	headers := map[string]string{"traceparent": sampled}
	for i := range n {
		headers[fmt.Sprintf("X-Header-%d", i)] = fmt.Sprintf("value %d", i)
	}
	return headers
}

func TestEveryStreamOfHTTP2GivesASpan(t *testing.T) {
	for _, build := range versions() {
		t.Run(build.String(), func(t *testing.T) {
			server, client := serveTLS(t, build)
			client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
			compareStreams(t, server, client, "https", build)
		})
	}
}

func TestEveryStreamWithoutTLSGivesASpan(t *testing.T) {
	for _, version := range []string{"1.24.13", "1.27.4"} { // net/http speaks it from 1.24 on
		build := target.Build{Source: source, Go: version, Flags: []string{target.Stripped}}
		t.Run(build.String(), func(t *testing.T) {
			server := target.Start(t, target.MustCompile(t, build))
			compareStreams(t, server, clientOfHTTP2(t), "http", build)
		})
	}
}

// clientOfHTTP2 speaks HTTP/2 without TLS, and without asking.
func clientOfHTTP2(t *testing.T) *http.Client {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: tracing.Patience}
}

func compareStreams(
	t *testing.T, server *target.Server, client *http.Client, scheme string, build target.Build,
) {
	t.Helper()
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
	tracer.AwaitTracing(t, 1)
	all := calls()
	ports := make([]int64, len(all))
	for i, call := range all {
		ports[i] = send(t, client, scheme+"://"+server.Address, call)
	}
	spans := tracer.Await(t, len(all))
	if len(spans) != len(all) {
		t.Fatalf("%d spans of %d requests", len(spans), len(all))
	}
	for i, call := range all {
		want := call.want
		want.Kind = ptrace.SpanKindServer
		want.Attributes = streamed(scheme, ports[i], call.changes)
		// From Go 1.27 on it cannot be told from one that was collected.
		unknown := call.path == "/mutate/it" && strings.HasPrefix(build.Go, "1.27.")
		if call.route != "" && hasPatterns(build) && !unknown {
			want.Attributes["http.route"] = call.route
		} else {
			want.Name, _, _ = strings.Cut(want.Name, " ")
		}
		if diff := cmp.Diff(want, compared(spans[i], want)); diff != "" {
			t.Errorf("%s: the span is not what was sent (-want +got):\n%s", call.name, diff)
		}
	}
	stats := tracer.MustStats(t)
	if stats.Operations != uint64(len(spans)) || tracing.Lost(stats) != 0 || stats.Active != 0 {
		t.Errorf("no loss of %d requests expected: %+v", len(spans), stats)
	}
}

// streamed are the attributes of a span of a call that was made with send, from a port.
func streamed(scheme string, port int64, changes map[string]any) map[string]any {
	return attributes(merged(map[string]any{
		"url.scheme": scheme, "network.protocol.version": "2",
		"user_agent.original": "Go-http-client/2.0",
		"server.port":         int64(8080), "network.peer.port": port,
	}, changes))
}

// send makes a call, checks that it went over HTTP/2, and returns the client's port.
func send(t *testing.T, client *http.Client, base string, c call) (port int64) {
	t.Helper()
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) {
			port = int64(got.Conn.LocalAddr().(*net.TCPAddr).Port)
		},
	})
	request, err := http.NewRequestWithContext(ctx, c.method, base+c.path,
		bytes.NewReader([]byte(c.body)))
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "shop.example:8080"
	for key, value := range c.header {
		request.Header.Set(key, value)
	}
	response, err := client.Do(request)
	if err != nil {
		if !c.breaks {
			t.Fatalf("%s: %v", c.name, err)
		}
		return port
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	if err == nil == c.breaks || response.ProtoMajor != 2 {
		t.Fatalf("%s: answered over %s, %v", c.name, response.Proto, err)
	}
	return port
}

// hasPatterns tells whether the ServeMux of a build has them.
func hasPatterns(b target.Build) bool {
	for _, without := range []string{"1.17.", "1.18.", "1.19.", "1.20.", "1.21."} {
		if strings.HasPrefix(b.Go+".", without) {
			return false
		}
	}
	return true
}

// Streams of one connection are told apart, whatever order they end in.
func TestStreamsAtTheSameTimeAreNotMixedUp(t *testing.T) {
	server := target.Start(t, target.MustCompile(t, newest))
	client := clientOfHTTP2(t)
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
	tracer.AwaitTracing(t, 1)
	const streams = 200
	var wg sync.WaitGroup
	for i := range streams {
		wg.Go(func() {
			request, err := http.NewRequest(http.MethodGet,
				fmt.Sprintf("http://%s/slow?for=%dms", server.Address, i%50), nil)
			if err != nil {
				t.Error(err)
				return
			}
			request.Header.Set("traceparent", fmt.Sprintf("00-%032x-%016x-01", i+1, i+1))
			request.Header.Set("User-Agent", fmt.Sprint(i+1))
			response, err := client.Do(request)
			if err != nil {
				t.Error(err)
				return
			}
			response.Body.Close()
		})
	}
	wg.Wait()
	spans := tracer.Await(t, streams)
	if len(spans) != streams {
		t.Fatalf("%d spans of %d streams", len(spans), streams)
	}
	for _, span := range spans {
		var id int
		if _, err := fmt.Sscan(span.Values()["user_agent.original"].(string), &id); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("%016x", id); span.ParentSpanID().String() != want {
			t.Errorf("the span of request %s has the parent %s", want, span.ParentSpanID())
		}
	}
}
