package nethttp

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// docs/benchmarks.md, "How often probes are hit", says so.
func TestEachRequestHitsAsManyProbesAsItIsSaidToCost(t *testing.T) {
	for _, build := range versions() {
		t.Run(build.String(), func(t *testing.T) {
			server, http1 := serveTLS(t, build)
			tracer := trace(t, server)
			hitsOfRequests(t, tracer, http1, "HTTP/1.1", "https://"+server.Address, 2)
			hitsOfRequests(t, tracer, overHTTP2(t, http1), "HTTP/2.0", "https://"+server.Address, 2)
		})
	}
	for _, build := range buildsWithNet(source) {
		t.Run(build.String(), func(t *testing.T) {
			upgrades := target.Start(t, target.MustCompile(t, tagged(build, "h2c")))
			direct := target.Start(t, target.MustCompile(t, tagged(build, "direct")))
			secure, http1 := serveTLS(t, tagged(build, "tls"))
			tracer := trace(t, upgrades, direct, secure)
			for _, server := range []*target.Server{upgrades, direct} {
				hitsOfRequests(t, tracer, clientOfHTTP2(t), "HTTP/2.0", "http://"+server.Address, 2)
			}
			through := uint64(3) // net/http's server, too
			if strings.HasPrefix(build.Go, "1.27.") {
				through = 2 // which is the only one
			}
			hitsOfRequests(t, tracer, overHTTP2(t, http1), "HTTP/2.0", "https://"+secure.Address,
				through)
		})
	}
}

// overHTTP2 is a client that asks for HTTP/2, and trusts whom another trusts.
func overHTTP2(t *testing.T, client *http.Client) *http.Client {
	t.Helper()
	transport := client.Transport.(*http.Transport).Clone()
	transport.ForceAttemptHTTP2 = true
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: client.Timeout}
}

func hitsOfRequests(t *testing.T, tracer *tracing.Tracer, client *http.Client, protocol,
	base string, each uint64,
) {
	t.Helper()
	compareHits(t, tracer, each, func() {
		if got := get(t, client, base+"/nothing"); got != protocol {
			t.Fatalf("it was answered over %s, not %s", got, protocol)
		}
	})
}

func TestEachCallHitsAsManyProbesAsItIsSaidToCost(t *testing.T) {
	u := startUpstreams(t)
	for _, build := range callers() {
		t.Run(build.String(), func(t *testing.T) {
			caller := target.Start(t, target.MustCompile(t, build))
			tracer := trace(t, caller)
			hitsOfCalls(t, tracer, caller, order{URL: u.plain.URL + "/a"}, 3)
			hitsOfCalls(t, tracer, caller, order{URL: u.tls.URL + "/a", Trust: true, HTTP2: true},
				hitsOverHTTP2(build))
		})
	}
	for _, build := range buildsWithNet(callerSource) {
		t.Run(build.String(), func(t *testing.T) {
			caller := target.Start(t, target.MustCompile(t, tagged(build, "net")))
			hitsOfCalls(t, trace(t, caller), caller,
				order{URL: u.tls.URL + "/a", Trust: true, Way: "net"}, hitsOverHTTP2(build))
		})
	}
}

// announcesStreams tells whether who serves a request over HTTP/2 is told whose it is: the first
// releases of Go 1.17, and the golang.org/x/net of that time, send headers elsewhere.
func announcesStreams(build target.Build) bool {
	return build.Go != "1.17" && build.Go != "1.17.1" &&
		!slices.ContainsFunc(build.Modules, func(module string) bool {
			return strings.HasPrefix(module, "golang.org/x/net@v0.0.0-20210224082022-")
		})
}

// hitsOverHTTP2 is how many probes a call over HTTP/2 hits.
func hitsOverHTTP2(build target.Build) uint64 {
	if announcesStreams(build) {
		return 4
	}
	return 3
}

func hitsOfCalls(
	t *testing.T, tracer *tracing.Tracer, caller *target.Server, o order, each uint64,
) {
	t.Helper()
	compareHits(t, tracer, each, func() {
		if outcomes := place(t, caller, o); len(outcomes) != 1 ||
			outcomes[0].Status != http.StatusOK {
			t.Fatalf("it was not answered with 200: %+v", outcomes)
		}
	})
}

// trace traces processes.
func trace(t *testing.T, processes ...*target.Server) *tracing.Tracer {
	t.Helper()
	var config engine.Config
	for _, p := range processes {
		config.Targets = append(config.Targets, engine.Target{PID: p.PID})
	}
	tracer := tracing.Start(t, config)
	tracer.AwaitTracing(t, len(processes))
	return tracer
}

// compareHits makes requests, and expects so many hits of each, once there is a connection.
func compareHits(t *testing.T, tracer *tracing.Tracer, each uint64, request func()) {
	t.Helper()
	const requests = 20
	seen := len(tracer.Spans())
	request()
	tracer.Await(t, seen+1)
	before := tracer.MustStats(t)
	for range requests {
		request()
	}
	tracer.Await(t, seen+1+requests)
	stats := tracer.MustStats(t)
	if made := stats.Operations - before.Operations; made != requests ||
		stats.Emitted != before.Emitted+requests {
		t.Errorf("%d operations of %d requests: %+v", made, requests, stats)
	}
	if hits := stats.ProbeHits - before.ProbeHits; hits != requests*each {
		t.Errorf("%d hits of %d requests, not %d of each", hits, requests, each)
	}
}
