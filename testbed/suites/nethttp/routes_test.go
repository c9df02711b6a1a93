package nethttp

import (
	"net/http"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

func TestTheRouteIsFoundWhateverMiddlewareStandsBefore(t *testing.T) {
	cases := []struct{ name, path, copy, host, method, route string }{
		{name: "nothing before the mux", path: "/hello/bob", route: "/hello/{name}"},
		{
			name: "WithContext before it", path: "/hello/bob", copy: "context",
			route: "/hello/{name}",
		},
		{name: "Clone before it", path: "/hello/bob", copy: "clone", route: "/hello/{name}"},
		{
			name: "a method and a host in the pattern", path: "/slow?for=0s", method: "POST",
			host: "example.com", copy: "clone", route: "/slow",
		},
		{name: "a mux in a mux", path: "/nested/items/7", route: "/nested/items/{id}"},
		{
			name: "a mux in a mux that got a copy", path: "/nested/items/7", copy: "context",
			route: "/nested/items/{id}",
		},
		{
			name: "a copy between two muxes", path: "/tenant/items/7", copy: "context",
			route: "/tenant/items/{id}",
		},
		{name: "a path that was stripped", path: "/stripped/items/7", route: "/stripped/"},
		{
			name: "a path that was stripped off a copy", path: "/stripped/items/7", copy: "clone",
			route: "/stripped/",
		},
		{name: "no route", path: "/nowhere", copy: "context"},
	}
	for _, version := range []string{"1.22.12", "1.24.13", "1.27.4"} {
		build := target.Build{Source: source, Go: version, Flags: []string{target.Stripped}}
		t.Run(build.String(), func(t *testing.T) {
			server := target.Start(t, target.MustCompile(t, build))
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
			tracer.AwaitTracing(t, 1)
			// The first copy makes known that the muxes must be watched.
			n := 0
			ask := func(path, kind, host, method string) tracing.Span {
				t.Helper()
				request, err := http.NewRequest(method, "http://"+server.Address+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Host = host
				request.Header.Set("X-Copy", kind)
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
				n++
				tracing.Eventually(t, func() bool {
					return len(tracer.Spans()) >= n
				}, "%d spans", n)
				return tracer.Spans()[n-1]
			}
			tracing.Eventually(t, func() bool {
				return ask("/hello/first", "context", "", "GET").Values()["http.route"] != nil
			}, "a route")
			for _, c := range cases {
				span := ask(c.path, c.copy, c.host, c.method)
				if route, _ := span.Values()["http.route"].(string); route != c.route {
					t.Errorf("%s: route %q, not %q", c.name, route, c.route)
				}
			}
			if stats := tracer.MustStats(t); tracing.Lost(stats) != 0 || len(stats.Degraded) > 0 &&
				stats.Degraded[engine.DegradedUnreadable] > 0 {
				t.Errorf("nothing is lost: %+v", stats)
			}
		})
	}
}

// A copy lives as long as its handlers, and its memory is used again.
func TestARouteIsNeverAnotherRequests(t *testing.T) {
	plain := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	defer plain.CloseIdleConnections()
	t.Run("HTTP/1", func(t *testing.T) { compareRoutes(t, plain) })
	t.Run("HTTP/2", func(t *testing.T) { compareRoutes(t, clientOfHTTP2(t)) })
}

func compareRoutes(t *testing.T, client *http.Client) {
	t.Helper()
	server := target.Start(t, target.MustCompile(t, newest))
	tracer := tracing.Start(t, engine.Config{
		Targets:        []engine.Target{{PID: server.PID}},
		RingBufferSize: 16 << 20,
	})
	tracer.AwaitTracing(t, 1)
	const requests = 3000
	kinds := []struct{ path, route string }{
		{"/hello/bob", "/hello/{name}"}, {"/garbage", "/garbage"}, {
			"/tenant/items/7",
			"/tenant/items/{id}",
		}, {"/nothing", "/nothing"},
	}
	for i := range requests {
		request, err := http.NewRequest(http.MethodGet,
			"http://"+server.Address+kinds[i%len(kinds)].path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Copy", []string{"context", "clone", ""}[i%3])
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	without := 0
	for i, span := range tracer.Await(t, requests) {
		switch route, _ := span.Values()["http.route"].(string); route {
		case kinds[i%len(kinds)].route:
		case "", "/tenant/": // collected, or before the muxes were watched
			without++
		default:
			t.Errorf("request %d of %s has the route %q", i, kinds[i%len(kinds)].path, route)
		}
	}
	t.Logf("%d of %d without their route", without, requests)
	if without > requests/2 {
		t.Errorf("%d of %d without their route", without, requests)
	}
}
