//go:build matrix

package programs

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/testbed/harness/loopback"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

const proxyConfiguration = `{
	admin off
}
http://127.0.0.1:{$PORT} {
	reverse_proxy /up/* %s
	reverse_proxy /down/* %s
	respond / 404
}
`

// numbered answers with the status that the path ends with.
func numbered(w http.ResponseWriter, r *http.Request) {
	status, err := strconv.Atoi(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
	if err != nil {
		status = http.StatusBadRequest
	}
	w.WriteHeader(status)
}

// One goroutine of the proxy has both ends of a request.
func TestAProxyHasASpanOfEachEndOfARequest(t *testing.T) {
	const rounds, atATime = 20, 4
	upstream := httptest.NewServer(http.HandlerFunc(numbered))
	t.Cleanup(upstream.Close)
	up, down, address := upstream.Listener.Addr().
		String(),
		loopback.Refusing(t), loopback.Refusing(t)
	executable := startProxy(t, address, up, down)
	listening(t, address)
	tracer := tracing.Start(t, executables(executable))
	tracer.AwaitTracing(t, 1)

	var want []times
	both := func(path string, status int, client span) {
		want = append(want, times{rounds * atATime, client},
			times{rounds * atATime, httpServed(t, address, path, status)})
	}
	both("/up/200", 200, httpCall(t, up, "/up/200", 200))
	both("/up/404", 404, httpCall(t, up, "/up/404", 404))
	both("/up/503", 503, httpCall(t, up, "/up/503", 503))
	// Caddy says by a type of its own that it could not dial.
	both("/down/1", 502, httpAttempt(t, down, "/down/1").failed("reverseproxy.DialError"))
	want = append(want, times{rounds * atATime, httpServed(t, address, "/", 404)})

	var wg sync.WaitGroup
	for range atATime {
		wg.Go(func() {
			for range rounds {
				for path, status := range map[string]int{
					"/up/200": 200, "/up/404": 404,
					"/up/503": 503, "/down/1": 502, "/": 404,
				} {
					if got := get("http://" + address + path); got != strconv.Itoa(status) {
						t.Errorf("%s was answered with %s, not %d", path, got, status)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	expect(t, tracer, want...)
	expectEachCallOfARequest(t, tracer.Spans())
}

// expectEachCallOfARequest expects that each request that was passed on has the one call to its
// path, and that others have none.
func expectEachCallOfARequest(t *testing.T, spans []tracing.Span) {
	t.Helper()
	served, calls := map[pcommon.SpanID]tracing.Span{}, map[pcommon.SpanID]int{}
	for _, s := range spans {
		if s.Kind() == ptrace.SpanKindServer {
			served[s.SpanID()] = s
		}
	}
	for _, s := range spans {
		if s.Kind() != ptrace.SpanKindClient {
			continue
		}
		request, ok := served[s.ParentSpanID()]
		if !ok {
			t.Errorf("%s has no request for a parent", tree.Target(s))
			continue
		}
		_, path, _ := strings.Cut(tree.Target(s), " ")
		if tree.Target(request) != tree.Served(path) || request.TraceID() != s.TraceID() ||
			request.EndTimestamp() < s.EndTimestamp() {
			t.Errorf(
				"%s from %v to %v in trace %s is the child of %s from %v to %v in trace %s",
				tree.Target(s), s.StartTimestamp(), s.EndTimestamp(), s.TraceID(),
				tree.Target(request), request.StartTimestamp(), request.EndTimestamp(),
				request.TraceID(),
			)
		}
		calls[request.SpanID()]++
	}
	for id, s := range served {
		wanted := 1
		if tree.Target(s) == tree.Served("/") {
			wanted = 0
		}
		if calls[id] != wanted {
			t.Errorf("%s has %d calls", tree.Target(s), calls[id])
		}
	}
}

// httpServed is the SERVER span of a GET over HTTP/1.1, by Go's client.
func httpServed(t *testing.T, address, path string, status int) span {
	t.Helper()
	s := span{
		Scope: scope + "net/http", Name: "GET", Kind: "Server", Status: "Unset",
		Attributes: map[string]any{
			"http.request.method": "GET", "url.path": path, "url.scheme": "http",
			"http.response.status_code": int64(status),
			"network.protocol.version":  "1.1", "server.address": "127.0.0.1",
			"server.port":    int64(port(t, address)),
			"client.address": "127.0.0.1", "network.peer.address": "127.0.0.1",
			"user_agent.original": "Go-http-client/1.1",
		},
	}
	if status >= 500 {
		return s.failed(strconv.Itoa(status))
	}
	return s
}

// startProxy starts Debian's caddy in front of an upstream, and of one that is not
// there.
func startProxy(t *testing.T, address, up, down string) (executable string) {
	t.Helper()
	root := unpack(t, "caddy")
	executable = filepath.Join(root, "usr/bin/caddy")
	run(t, root, executable, program{
		files: map[string]string{"Caddyfile": fmt.Sprintf(proxyConfiguration, up, down)},
		arguments: func(folder, _ string) []string {
			return []string{
				"run", "--adapter", "caddyfile", "--config",
				filepath.Join(folder, "Caddyfile"),
			}
		},
	}, address)
	return executable
}

// get returns the status of an answer, or the error that there was instead.
func get(url string) string {
	response, err := http.Get(url)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err.Error()
	}
	return strconv.Itoa(response.StatusCode)
}
