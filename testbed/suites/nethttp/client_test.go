package nethttp

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/loopback"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

const callerSource = "testbed/targets/httpcaller"

// order and outcome are those of the caller.
type order struct {
	Method  string
	URL     string
	Opaque  string
	Host    string
	Way     string
	Timeout int
	Cancel  int
	Trust   bool
	HTTP2   bool
	Socket  string
	Many    int
	Over    int
	Panic   bool
	Apart   bool
}

type outcome struct {
	Start, End int64
	Status     int
	Error      string
	Local      string
}

func callers() []target.Build {
	list := versions()
	for i := range list {
		list[i].Source = callerSource
	}
	return list
}

// ask has a caller make the requests of an order, and returns what came of each.
func ask(caller *target.Server, o order) ([]outcome, error) {
	var outcomes []outcome
	err := caller.Order(o, &outcomes)
	return outcomes, err
}

func place(t *testing.T, caller *target.Server, o order) []outcome {
	t.Helper()
	outcomes, err := ask(caller, o)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

// upstreams are the servers that a caller is sent to.
type upstreams struct {
	plain, tls, http2, v6, unix *httptest.Server
	socket                      string
	refusing                    string // host:port where nobody listens
}

func startUpstreams(t *testing.T) *upstreams {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/status/", func(w http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/status/"))
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(code)
	})
	mux.HandleFunc("/twice", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/once", http.StatusFound)
	})
	mux.HandleFunc("/once", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/status/200", http.StatusFound)
	})
	mux.HandleFunc("/never", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(tracing.Patience):
		}
	})
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})

	u := &upstreams{plain: httptest.NewServer(mux), socket: filepath.Join(t.TempDir(), "socket")}
	u.tls = httptest.NewUnstartedServer(mux)
	u.tls.EnableHTTP2 = true
	u.tls.StartTLS()
	u.http2, u.v6, u.unix = serveHTTP2(t, mux), serveOn(t, mux, "tcp6", "[::1]:0"), serveOn(t, mux,
		"unix", u.socket)
	for _, server := range []*httptest.Server{u.plain, u.tls, u.v6, u.unix} {
		t.Cleanup(server.Close)
	}
	u.refusing = loopback.Refusing(t)
	return u
}

func serveOn(t *testing.T, handler http.Handler, network, address string) *httptest.Server {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	if err := server.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	server.Listener = listener
	server.Start()
	return server
}

// requested are the attributes of a CLIENT span of a request that was answered
// with 200 over HTTP/1.1.
func requested(t *testing.T, rawURL string, changes map[string]any) map[string]any {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{
		"http.request.method":       "GET",
		"http.response.status_code": int64(200),
		"url.full":                  rawURL,
		"server.address":            u.Hostname(),
		"network.protocol.version":  "1.1",
	}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		all["server.port"] = int64(port)
	}
	if peer, err := netip.ParseAddrPort(u.Host); err == nil {
		all["network.peer.address"], all["network.peer.port"] = peer.Addr().
			String(),
			int64(peer.Port())
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

// errand is an order, and the spans that it must give: the attributes that differ
// from those of a plain request, for each request.
type errand struct {
	name   string
	order  order
	urls   []string // of the requests, as the spans tell them; nil: that of the order
	spans  []map[string]any
	failed bool // the error.type is what RoundTrip returned, and there is no status
}

func errands(u *upstreams) []errand {
	unanswered := map[string]any{"http.response.status_code": nil, "network.protocol.version": nil}
	unconnected := map[string]any{
		"http.response.status_code": nil, "network.protocol.version": nil,
		"network.peer.address": nil, "network.peer.port": nil,
	}
	address := u.plain.Listener.Addr().String()
	none := []map[string]any{{}}
	return []errand{
		{name: "plain", order: order{URL: u.plain.URL + "/hello"}, spans: none},
		{name: "no path", order: order{URL: u.plain.URL}, spans: none},
		{
			name: "a query", order: order{URL: u.plain.URL + "/a?token=secret&flag"},
			urls: []string{u.plain.URL + "/a?token=REDACTED&REDACTED"}, spans: none,
		},
		{
			name: "credentials", order: order{URL: "http://user:secret@" + address + "/a"},
			urls: []string{u.plain.URL + "/a"}, spans: none,
		},
		{name: "escapes", order: order{URL: u.plain.URL + "/a%2Fb%20c/%C3%A9"}, spans: none},
		{
			name: "a path that needs escapes", order: order{URL: u.plain.URL + "/a b/é"},
			urls: []string{u.plain.URL + "/a%20b/%C3%A9"}, spans: none,
		},
		{
			name: "an opaque path", order: order{URL: u.plain.URL + "/", Opaque: "/a%2Fb"},
			urls: []string{u.plain.URL + "/a%2Fb"}, spans: none,
		},
		{
			name:  "an opaque part with a host and credentials",
			order: order{URL: u.plain.URL + "/", Opaque: "//user:secret@" + address + "/a"},
			urls:  []string{u.plain.URL + "/a"}, spans: none,
		},
		{
			name: "another method", order: order{Method: "PUT", URL: u.plain.URL + "/a"},
			spans: []map[string]any{{"http.request.method": "PUT"}},
		},
		{
			name: "an unknown method", order: order{Method: "BREW", URL: u.plain.URL + "/a"},
			spans: []map[string]any{{
				"http.request.method":          "_OTHER",
				"http.request.method_original": "BREW",
			}},
		},
		{
			name: "not found", order: order{URL: u.plain.URL + "/status/404"},
			spans: []map[string]any{{
				"http.response.status_code": int64(404),
				"error.type":                "404",
			}},
		},
		{
			name: "an error of the server's", order: order{URL: u.plain.URL + "/status/503"},
			spans: []map[string]any{{
				"http.response.status_code": int64(503),
				"error.type":                "503",
			}},
		},
		{
			name: "redirects", order: order{URL: u.plain.URL + "/twice"},
			urls: []string{
				u.plain.URL + "/twice", u.plain.URL + "/once",
				u.plain.URL + "/status/200",
			}, spans: []map[string]any{
				{"http.response.status_code": int64(302)}, {
					"http.response.status_code": int64(302),
					"http.request.resend_count": int64(1),
				}, {"http.request.resend_count": int64(2)},
			},
		},
		{name: "TLS", order: order{URL: u.tls.URL + "/a", Trust: true}, spans: none},
		{
			name: "HTTP/2", order: order{URL: u.tls.URL + "/a", Trust: true, HTTP2: true},
			spans: []map[string]any{{"network.protocol.version": "2"}},
		},
		{name: "IPv6", order: order{URL: u.v6.URL + "/a"}, spans: none},
		{
			name: "a unix socket", order: order{URL: "http://local/a", Socket: u.socket},
			spans: []map[string]any{{
				"server.port": int64(80), "network.peer.address": u.socket,
				"network.transport": "unix",
			}},
		},
		{
			name:  "a unix socket's path for a host",
			order: order{URL: "http://local/a", Socket: u.socket, Host: u.socket},
			spans: []map[string]any{{
				// RFC 3986 allows the escapes in a host. net/url writes them, and does not read them.
				"url.full":       "http://" + strings.ReplaceAll(u.socket, "/", "%2F") + "/a",
				"server.address": u.socket, "server.port": nil,
				"network.peer.address": u.socket, "network.transport": "unix",
			}},
		},
		{
			name: "refused", order: order{URL: "http://" + u.refusing + "/a"},
			spans: []map[string]any{unconnected}, failed: true,
		},
		{
			name: "no such host", order: order{URL: "http://name.invalid/a"},
			spans: []map[string]any{merged(unconnected,
				map[string]any{"server.port": int64(80)})}, failed: true,
		},
		{
			name: "a certificate that is not trusted", order: order{URL: u.tls.URL + "/a"},
			spans: []map[string]any{unconnected}, failed: true,
		},
		{
			name: "a timeout", order: order{URL: u.plain.URL + "/never", Timeout: 1000},
			spans: []map[string]any{unanswered}, failed: true,
		},
		{
			name: "a cancelled request", order: order{URL: u.plain.URL + "/never", Cancel: 1000},
			spans: []map[string]any{unanswered}, failed: true,
		},
		{name: "a cancelled stream", order: order{
			URL: u.tls.URL + "/never", Trust: true,
			HTTP2: true, Cancel: 1000,
		}, spans: []map[string]any{unanswered}, failed: true},
	}
}

func merged(a, b map[string]any) map[string]any {
	all := map[string]any{}
	for _, m := range []map[string]any{a, b} {
		for key, value := range m {
			all[key] = value
		}
	}
	return all
}

func TestEveryCallGivesASpanThatSaysWhatCameOfIt(t *testing.T) {
	u := startUpstreams(t)
	for _, build := range callers() {
		t.Run(build.String(), func(t *testing.T) { compareErrands(t, build, errands(u)) })
	}
}

// compareErrands has a caller run errands, and compares the spans of each.
func compareErrands(t *testing.T, build target.Build, all []errand) {
	t.Helper()
	caller := target.Start(t, target.MustCompile(t, build))
	tracer := trace(t, caller)
	seen, unread := 0, uint64(0)
	for _, e := range all {
		outcomes := place(t, caller, e.order)
		spans := tracer.Await(t, seen+len(e.spans))[seen:]
		seen += len(spans)
		if len(spans) != len(e.spans) || len(outcomes) != len(e.spans) {
			t.Errorf("%s: %d spans of %d requests, want %d", e.name, len(spans), len(outcomes),
				len(e.spans))
			continue
		}
		for i, s := range spans {
			wantURL := e.order.URL
			if e.urls != nil {
				wantURL = e.urls[i]
			}
			want := requested(t, wantURL, e.spans[i])
			if e.failed {
				if outcomes[i].Error == "" {
					t.Fatalf("%s: the transport returned no error", e.name)
				}
				want["error.type"] = outcomes[i].Error
				if s.Values()["error.type"] == "_OTHER" {
					want["error.type"] = "_OTHER" // its name was not resident
					unread++
				}
			}
			compareCall(t, fmt.Sprintf("%s, request %d", e.name, i), want, outcomes[i], s)
		}
	}
	stats := tracer.MustStats(t)
	if stats.Operations != uint64(seen) || stats.Active != 0 || tracing.Lost(stats) != 0 ||
		stats.Degraded[engine.DegradedUnreadable] != unread {
		t.Errorf(
			"%d operations, %d in flight, lost: %v; degraded: %v, of which %d have an error whose type could not be read",
			stats.Operations,
			stats.Active,
			stats.Lost,
			stats.Degraded,
			unread,
		)
	}
	if unread > 2 {
		t.Errorf("%d types of errors could not be read", unread)
	}
}

// compareCall compares a span with the attributes that it must have, and with when the
// request was made.
func compareCall(
	t *testing.T, call string, attributes map[string]any, came outcome, got tracing.Span,
) {
	t.Helper()
	want := span{Name: name(attributes), Kind: ptrace.SpanKindClient, Attributes: attributes}
	if attributes["error.type"] != nil {
		want.Status = ptrace.StatusCodeError
	}
	if diff := cmp.Diff(want, compared(got, want)); diff != "" {
		t.Errorf("%s: the span is not what happened (-want +got):\n%s", call, diff)
	}
	start, end := got.StartTimestamp().AsTime(), got.EndTimestamp().AsTime()
	from, to := time.Unix(0, came.Start), time.Unix(0, came.End)
	if start.Before(from.Add(-clockError)) || end.After(to.Add(clockError)) || end.Before(start) {
		t.Errorf("%s: from %v to %v, while the call took from %v to %v", call, start, end, from, to)
	}
}

func name(attributes map[string]any) string {
	if attributes["http.request.method"] == "_OTHER" {
		return "HTTP"
	}
	return attributes["http.request.method"].(string)
}

func TestACallThatPanicsIsCountedAndTheNextOneHasItsSpan(t *testing.T) {
	u := startUpstreams(t)
	caller := target.Start(t, target.MustCompile(t, callers()[0]))
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: caller.PID}}})
	tracer.AwaitTracing(t, 1)
	place(t, caller, order{URL: u.plain.URL + "/after", Panic: true})
	spans := tracer.Await(t, 1)
	if len(spans) != 1 || spans[0].Values()["url.full"] != u.plain.URL+"/after" {
		t.Errorf("%d spans, the first is %v", len(spans), spans[0].Values())
	}
	if stats := tracer.MustStats(t); stats.Operations != 2 || tracing.Lost(stats) != 1 {
		t.Errorf("of %d calls %d are counted as lost", stats.Operations, tracing.Lost(stats))
	}
}

// Nothing else would remove what such a goroutine leaves behind as long as its process
// lives.
func TestACallWhoseGoroutineHasEndedIsCountedWhileItsProcessLives(t *testing.T) {
	u := startUpstreams(t)
	for _, build := range callers() {
		t.Run(build.String(), func(t *testing.T) {
			caller := target.Start(t, target.MustCompile(t, build))
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: caller.PID}}})
			tracer.AwaitTracing(t, 1)
			place(t, caller, order{URL: u.plain.URL + "/after", Panic: true, Apart: true})
			tracer.Await(t, 1)
			tracing.Eventually(t, func() bool {
				return tracer.MustStats(t).Lost[engine.LostUnfinished] == 1
			}, "the loss to be counted")
			if stats := tracer.MustStats(t); stats.Operations != 2 || stats.Active != 0 ||
				tracing.Lost(stats) != 1 {
				t.Errorf("of %d calls %d are counted as lost, and %d are in flight",
					stats.Operations, tracing.Lost(stats), stats.Active)
			}
		})
	}
}
