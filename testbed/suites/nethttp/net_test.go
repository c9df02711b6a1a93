package nethttp

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// pair is a release of Go, and one of golang.org/x/net that it compiles.
type pair struct {
	goVersion, net string
	flags          []string
}

// buildsWithNet are programs that have HTTP/2 of golang.org/x/net, old and new.
func buildsWithNet(source string) []target.Build {
	var list []target.Build
	for _, p := range pairs() {
		list = append(list, target.Build{
			Source: source, Go: p.goVersion, Flags: p.flags,
			Modules: []string{"golang.org/x/net@" + p.net},
		})
	}
	return list
}

// tagged is a build with a tag, which says how the program is written.
func tagged(build target.Build, tag string) target.Build {
	build.Flags = append(slices.Clone(build.Flags), "-tags="+tag)
	return build
}

func TestServersOfNetGiveOneSpanForEachRequest(t *testing.T) {
	for _, build := range buildsWithNet(source) {
		t.Run(build.String(), func(t *testing.T) {
			for _, mode := range []string{"h2c", "direct", "tls"} {
				t.Run(mode, func(t *testing.T) {
					build := tagged(build, mode)
					var server *target.Server
					client, scheme := clientOfHTTP2(t), "http"
					if mode == "tls" {
						server, client = serveTLS(t, build)
						client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
						scheme = "https"
					} else {
						server = target.Start(t, target.MustCompile(t, build))
					}
					compareNetStreams(t, server, client, scheme)
					sampleNetStreams(t, server, client, scheme)
				})
			}
		})
	}
}

func compareNetStreams(t *testing.T, server *target.Server, client *http.Client, scheme string) {
	t.Helper()
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
	tracer.AwaitTracing(t, 1)
	expected := []struct {
		query     string
		status    any
		errorType any
	}{
		{"", int64(200), nil}, {"code=201", int64(201), nil}, {
			"code=500", int64(500),
			"500",
		}, {"code=0", nil, "panic"},
	}
	ports := make([]int64, len(expected))
	for i, e := range expected {
		ports[i] = send(t, client, scheme+"://"+server.Address, call{
			name: e.query, method: "GET", path: "/some/path?" + e.query,
			breaks: e.errorType == "panic",
			header: map[string]string{"traceparent": sampled, "tracestate": "a=1"},
		})
	}
	spans := tracer.Await(t, len(expected))
	if len(spans) != len(expected) || server.Served(t) != len(expected) {
		t.Fatalf("%d spans of %d requests", len(spans), len(expected))
	}
	for i, e := range expected {
		want := span{
			Name: "GET", Kind: ptrace.SpanKindServer, TraceID: traceID, ParentID: parentID,
			TraceState: "a=1",
		}
		want.Attributes = streamed(scheme, ports[i], map[string]any{
			"url.path": "/some/path", "http.response.status_code": e.status,
			"error.type": e.errorType,
		})
		if key, _, ok := strings.Cut(e.query, "="); ok {
			want.Attributes["url.query"] = key + "=REDACTED"
		}
		if e.errorType != nil {
			want.Status = ptrace.StatusCodeError
		}
		if diff := cmp.Diff(want, compared(spans[i], want)); diff != "" {
			t.Errorf("request %q: the span is not what was sent (-want +got):\n%s", e.query, diff)
		}
	}
	stats := tracer.MustStats(t)
	// The preface of HTTP/2 is discarded where it comes as a request.
	if stats.Operations-stats.Discarded != uint64(len(expected)) || stats.Discarded > 1 ||
		tracing.Lost(stats) != 0 || stats.Active != 0 {
		t.Errorf("no loss of %d requests expected: %+v", len(expected), stats)
	}
}

// sampleNetStreams expects that what is not sampled is counted once, also where two hooks see a
// stream.
func sampleNetStreams(t *testing.T, server *target.Server, client *http.Client, scheme string) {
	t.Helper()
	sampler, err := engine.NewSampler(0, true)
	if err != nil {
		t.Fatal(err)
	}
	tracer := tracing.Start(t, engine.Config{
		Targets: []engine.Target{{PID: server.PID}},
		Sampler: sampler,
	})
	tracer.AwaitTracing(t, 1)
	const requests = 3
	for range requests {
		send(t, client, scheme+"://"+server.Address, call{method: "GET", path: "/some/path"})
	}
	if stats := tracer.Settle(t); stats.NotSampled != requests ||
		stats.Operations-stats.Discarded != requests || stats.Emitted != 0 {
		t.Errorf("%d requests that are not sampled: %+v", requests, stats)
	}
}

// RFC 7540, section 3.2: the request that asks for the upgrade is the first
// stream of the connection.
func TestAnUpgradeToHTTP2IsOneRequest(t *testing.T) {
	for _, build := range buildsWithNet(source) {
		t.Run(build.String(), func(t *testing.T) {
			server := target.Start(t, target.MustCompile(t, tagged(build, "h2c")))
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
			tracer.AwaitTracing(t, 1)
			connection, err := net.Dial("tcp", server.Address)
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			if err := connection.SetDeadline(time.Now().Add(tracing.Patience)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(connection,
				"GET /upgraded?code=204 HTTP/1.1\r\nHost: shop.example\r\n"+
					"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			answers := bufio.NewReader(connection)
			response, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != http.StatusSwitchingProtocols {
				// Without the upgrade it is a request of HTTP/1 as any other.
				compareOne(t, tracer, connection, "1.1")
				return
			}
			if _, err := io.WriteString(connection, http2.ClientPreface); err != nil {
				t.Fatal(err)
			}
			framer := http2.NewFramer(connection, answers)
			if err := framer.WriteSettings(); err != nil {
				t.Fatal(err)
			}
			awaitEndOfStream(t, framer)
			connection.Close()
			compareOne(t, tracer, connection, "2")
		})
	}
}

// compareOne expects one span, of the request for /upgraded, which came over a
// connection and was answered by that version.
func compareOne(t *testing.T, tracer *tracing.Tracer, connection net.Conn, version string) {
	t.Helper()
	tracing.Eventually(t, func() bool {
		return tracer.MustStats(t).Active == 0
	}, "the connection to end")
	spans := tracer.Await(t, 1)
	stats := tracer.MustStats(t)
	if len(spans) != 1 || stats.Operations != stats.Emitted+stats.Discarded {
		t.Fatalf("%d spans of one request: %+v", len(spans), stats)
	}
	want := span{Name: "GET", Kind: ptrace.SpanKindServer, Attributes: attributes(map[string]any{
		"url.path": "/upgraded", "url.query": "code=REDACTED",
		"http.response.status_code": int64(204),
		"network.protocol.version":  version,
		"network.peer.port":         int64(connection.LocalAddr().(*net.TCPAddr).Port),
	})}
	if diff := cmp.Diff(want, compared(spans[0], want)); diff != "" {
		t.Errorf("the span is not what was sent (-want +got):\n%s", diff)
	}
}

func awaitEndOfStream(t *testing.T, framer *http2.Framer) {
	t.Helper()
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if frame.Header().Flags.Has(http2.FlagDataEndStream) && frame.Header().StreamID == 1 {
			return
		}
	}
}

// What the server refuses by itself reaches no handler.
func TestStreamsThatTheServerRefusesGiveNoSpan(t *testing.T) {
	for _, build := range buildsWithNet(source) {
		t.Run(build.String(), func(t *testing.T) {
			server := target.Start(t, target.MustCompile(t, tagged(build, "h2c")))
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
			tracer.AwaitTracing(t, 1)
			client := clientOfHTTP2(t)
			tooLong := call{
				method: "GET", path: "/long",
				header: map[string]string{"X-Long": strings.Repeat("x", 2<<20)},
			}
			request, err := http.NewRequest(tooLong.method, "http://"+server.Address+tooLong.path,
				nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("X-Long", tooLong.header["X-Long"])
			if response, err := client.Do(request); err == nil {
				if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
					t.Fatalf("answered with %s", response.Status)
				}
				response.Body.Close()
			}
			refuseByConnectionHeader(t, server.Address)
			send(t, client, "http://"+server.Address, call{method: "GET", path: "/fine?code=200"})
			spans := tracer.Await(t, 1)
			stats := tracer.MustStats(t)
			if len(spans) != 1 || server.Served(t) != 1 || stats.Operations != 1+stats.Discarded ||
				stats.Active != 0 {
				t.Errorf("%d spans, and one request that reached a handler: %+v", len(spans), stats)
			}
		})
	}
}

// refuseByConnectionHeader sends a stream with a header that HTTP/2 forbids,
// which is answered with 400: RFC 9113, section 8.2.2.
func refuseByConnectionHeader(t *testing.T, address string) {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(tracing.Patience)); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{
		{":method", "GET"},
		{":scheme", "http"},
		{":authority", "shop.example"},
		{":path", "/refused"},
		{"connection", "close"},
	} {
		if err := encoder.WriteField(hpack.HeaderField{
			Name:  field[0],
			Value: field[1],
		}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(connection, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(connection, connection)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	if err := framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: block.Bytes(),
		EndStream: true, EndHeaders: true,
	}); err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if frame.Header().StreamID == 1 {
			return // an answer, or a reset
		}
	}
}
