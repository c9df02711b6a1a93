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

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/internal/target"
	"github.com/spanprobe/spanprobe/testbed/internal/tracing"
)

// buildsWithNet are programs that serve HTTP/2 with golang.org/x/net, old and
// new.
func buildsWithNet() []target.Build {
	var list []target.Build
	for _, pair := range []struct{ goVersion, net string }{
		{"1.20.14", "v0.1.0"}, {"1.21.13", "v0.17.0"}, {"1.24.13", "v0.34.0"}, {"1.26.8", "v0.47.0"}, {"1.27.4", "v0.59.0"},
	} {
		list = append(list, target.Build{
			Source: "testbed/nethttp/nettarget", Go: pair.goVersion,
			Flags: []string{target.Stripped}, Modules: []string{"golang.org/x/net@" + pair.net},
		})
	}
	return list
}

func TestServersOfNetGiveOneSpanForEachRequest(t *testing.T) {
	for _, build := range buildsWithNet() {
		t.Run(build.String(), func(t *testing.T) {
			for _, mode := range []string{"h2c", "direct", "tls"} {
				t.Run(mode, func(t *testing.T) {
					build := build
					build.Flags = append(slices.Clone(build.Flags), "-tags="+mode)
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
		{"", int64(200), nil}, {"code=201", int64(201), nil}, {"code=500", int64(500), "500"}, {"code=0", nil, "panic"},
	}
	for _, e := range expected {
		send(t, client, scheme+"://"+server.Address, call{
			name: e.query, method: "GET", path: "/some/path?" + e.query, breaks: e.errorType == "panic", header: map[string]string{"traceparent": sampled},
		})
	}
	spans := tracer.Await(t, len(expected))
	if len(spans) != len(expected) || server.Served(t) != len(expected) {
		t.Fatalf("%d spans of %d requests", len(spans), len(expected))
	}
	for i, e := range expected {
		got := spans[i].Values()
		for key, want := range map[string]any{
			"http.response.status_code": e.status, "error.type": e.errorType,
			"url.path": "/some/path", "url.scheme": scheme, "http.request.method": "GET", "network.protocol.version": "2",
			"server.address": "shop.example", "server.port": int64(8080), "client.address": "127.0.0.1",
		} {
			if got[key] != want {
				t.Errorf("request %q: %s is %v, not %v", e.query, key, got[key], want)
			}
		}
		if spans[i].ParentSpanID().String() != parentID {
			t.Errorf("request %q: parent %s", e.query, spans[i].ParentSpanID())
		}
	}
	stats := tracer.MustStats(t)
	// The preface of HTTP/2 is discarded where it comes as a request.
	if stats.Operations-stats.Discarded != uint64(len(expected)) || stats.Discarded > 1 || tracing.Lost(stats) != 0 || stats.Active != 0 {
		t.Errorf("no loss of %d requests expected: %+v", len(expected), stats)
	}
}

// RFC 7540, section 3.2: the request that asks for the upgrade is the first
// stream of the connection.
func TestAnUpgradeToHTTP2IsOneRequest(t *testing.T) {
	for _, build := range buildsWithNet() {
		t.Run(build.String(), func(t *testing.T) {
			server := target.Start(t, target.MustCompile(t, build))
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
			if _, err := io.WriteString(connection, "GET /upgraded?code=204 HTTP/1.1\r\nHost: shop.example\r\n"+
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
				compareOne(t, tracer, "1.1")
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
			compareOne(t, tracer, "2")
		})
	}
}

// compareOne expects one span, of the request for /upgraded, which was answered
// by that version.
func compareOne(t *testing.T, tracer *tracing.Tracer, version string) {
	t.Helper()
	tracing.Eventually(t, func() bool { return tracer.MustStats(t).Active == 0 }, "the connection to end")
	spans := tracer.Await(t, 1)
	stats := tracer.MustStats(t)
	if len(spans) != 1 || stats.Operations != stats.Emitted+stats.Discarded {
		t.Fatalf("%d spans of one request: %+v", len(spans), stats)
	}
	for key, want := range map[string]any{"url.path": "/upgraded", "network.protocol.version": version, "http.response.status_code": int64(204)} {
		if got := spans[0].Values()[key]; got != want {
			t.Errorf("%s is %v, not %v", key, got, want)
		}
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
	for _, build := range buildsWithNet() {
		t.Run(build.String(), func(t *testing.T) {
			server := target.Start(t, target.MustCompile(t, build))
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
			tracer.AwaitTracing(t, 1)
			client := clientOfHTTP2(t)
			tooLong := call{method: "GET", path: "/long", header: map[string]string{"X-Long": strings.Repeat("x", 2<<20)}}
			request, err := http.NewRequest(tooLong.method, "http://"+server.Address+tooLong.path, nil)
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
			if len(spans) != 1 || server.Served(t) != 1 || stats.Operations != 1+stats.Discarded || stats.Active != 0 {
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
	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "shop.example"}, {":path", "/refused"}, {"connection", "close"}} {
		if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
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
	if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}); err != nil {
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
