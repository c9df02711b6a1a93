package nethttp

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// streams is how many calls are made over one connection of HTTP/2: as many as a client
// begins before it knows how many its server takes.
const streams = 100

func TestCallsAtATimeAreNotCrossed(t *testing.T) {
	for _, build := range callers() {
		t.Run(build.String(), func(t *testing.T) {
			compareMany(t, build, 500)
		})
	}
}

func TestFiveThousandCallsInFlightHaveTheirSpans(t *testing.T) {
	// From Go 1.19 on a program may open as many files as it needs.
	for _, version := range []string{"1.20.14", "1.27.4"} {
		build := target.Build{Source: callerSource, Go: version, Flags: []string{target.Stripped}}
		t.Run(build.String(), func(t *testing.T) {
			compareMany(t, build, 5000)
		})
	}
}

// compareMany has one process make many calls over HTTP/1, and then over HTTP/2, and
// compares what comes of each at both ends.
func compareMany(t *testing.T, build target.Build, calls int) {
	t.Helper()
	// With Go 1.27 a stream whose request was collected meanwhile has no route.
	executable := target.MustCompile(t, target.Build{
		Source: source, Go: "1.26.11",
		Flags: []string{target.Stripped},
	})
	plain, secure := target.Start(t, executable), target.Start(t, executable, "-tls")
	caller := target.Start(t, target.MustCompile(t, build))
	tracer := tracing.Start(t, engine.Config{
		Targets: []engine.Target{
			{PID: plain.PID},
			{PID: secure.PID},
			{PID: caller.PID},
		}, RingBufferSize: 16 << 20, URLQuery: engine.QueryKeep,
	})
	tracer.AwaitTracing(t, 3)
	compareHeldTogether(t, tracer, caller, plain, order{Many: calls}, true)
	if t.Failed() {
		return
	}
	compareHeldTogether(t, tracer, caller, secure,
		order{
			Many: calls, Over: calls / streams, Trust: true,
			HTTP2: true,
		}, announcesStreams(build))
}

// compareHeldTogether has the server hold all calls of an order until they are there. Whether they
// are joined to the requests that it serves depends on what the caller is built with.
func compareHeldTogether(
	t *testing.T, tracer *tracing.Tracer, caller, server *target.Server, o order, joined bool,
) {
	t.Helper()
	calls, connections := o.Many, o.Over
	scheme, version, agent := "http", "1.1", "Go-http-client/1.1"
	if o.HTTP2 {
		scheme, version, agent = "https", "2", "Go-http-client/2.0"
	}
	before := len(tracer.Spans())
	base := scheme + "://" + server.Address
	if o.HTTP2 {
		// Each Transport makes its connection, which all of its calls then share: they are
		// streams 3, 5 and so on of every connection (RFC 9113, section 5.1.1).
		first := o
		first.URL, first.Many = base+"/nothing?i=", connections
		place(t, caller, first)
	}
	before += 2 * connections
	tracer.Await(t, before)
	path := "/gather"
	o.URL = fmt.Sprintf("%s%s?n=%d&i=", base, path, calls)
	outcomes := place(t, caller, o)
	if served := server.Served(t) - connections; len(outcomes) != calls || served != calls {
		t.Fatalf("%d calls were to be made, %d were, and %d reached a handler", calls,
			len(outcomes), served)
	}
	sent, received := ends(t, tracer.Await(t, before+2*calls)[before:])
	if stats := tracer.MustStats(t); stats.Emitted != uint64(before+2*calls) ||
		stats.Operations != stats.Emitted || stats.Active != 0 {
		t.Fatalf("no loss of %d calls expected: %+v", calls, stats)
	}

	orphans := 0
	host, port := hostAndPort(t, server.Address)
	for i, came := range outcomes {
		url := o.URL + strconv.Itoa(i)
		_, query, _ := strings.Cut(url, "?")
		if came.Status != http.StatusOK {
			t.Fatalf("call %d was answered with %d: %s", i, came.Status, came.Error)
		}
		client, server := sent[query], received[query]
		if client == nil || server == nil {
			t.Fatalf("call %d has not one span at each end: %v, %v", i, client, server)
		}
		compareCall(t, url, requested(t, url, map[string]any{"network.protocol.version": version}),
			came, *client)
		_, local := hostAndPort(t, came.Local)
		want := span{
			Name: "GET " + path, Kind: ptrace.SpanKindServer, TraceID: client.TraceID().String(),
			ParentID: client.SpanID().String(),
			Attributes: attributes(map[string]any{
				"url.scheme": scheme, "url.path": path, "url.query": query, "http.route": path,
				"network.protocol.version": version,
				"server.address":           host, "server.port": port, "network.peer.port": local,
				"user_agent.original": agent,
			}),
		}
		if server.ParentSpanID().IsEmpty() {
			want.TraceID, want.ParentID = "", ""
			orphans++
		}
		if diff := cmp.Diff(want, compared(*server, want)); diff != "" {
			t.Errorf("%s: the span of its server is not what happened (-want +got):\n%s", url, diff)
		}
		if t.Failed() {
			t.Fatal("the others are not compared")
		}
	}
	degraded := tracer.MustStats(t).Degraded
	counted := degraded[engine.DegradedEvictedParent] + degraded[engine.DegradedUnknownConnection]
	t.Logf("%d of %d spans of requests have no parent, %d may have none", orphans, calls, counted)
	if !joined && orphans != calls {
		t.Errorf("%d of %d spans of requests have no parent, which is said of all of them", orphans,
			calls)
	}
	if joined && uint64(orphans) > counted {
		t.Errorf("%d of %d spans of requests have no parent, and not more than %d were counted",
			orphans, calls, counted)
	}
	if connections == 0 {
		connections = calls
	}
	compareConnections(t, outcomes, connections)
}

// ends sorts spans by the query of their requests, those of the client and of the server,
// which were all in flight together.
func ends(t *testing.T, spans []tracing.Span) (sent, received map[string]*tracing.Span) {
	t.Helper()
	sent, received = map[string]*tracing.Span{}, map[string]*tracing.Span{}
	for i, s := range spans {
		of := received
		query, _ := s.Values()["url.query"].(string)
		if s.Kind() == ptrace.SpanKindClient {
			of = sent
			full, _ := s.Values()["url.full"].(string)
			_, query, _ = strings.Cut(full, "?")
		}
		if of[query] != nil {
			t.Fatalf("two %s spans of %q", s.Kind(), query)
		}
		of[query] = &spans[i]
	}
	for _, of := range []map[string]*tracing.Span{sent, received} {
		all := make([]tracing.Span, 0, len(of))
		for _, s := range of {
			all = append(all, *s)
		}
		inFlightTogether(t, all)
	}
	return sent, received
}

// inFlightTogether expects that no span ended before the last one began.
func inFlightTogether(t *testing.T, spans []tracing.Span) {
	t.Helper()
	if len(spans) == 0 {
		t.Fatal("there are no spans")
	}
	firstEnd, lastStart := spans[0].EndTimestamp(), spans[0].StartTimestamp()
	for _, s := range spans {
		firstEnd, lastStart = min(firstEnd, s.EndTimestamp()), max(lastStart, s.StartTimestamp())
	}
	if firstEnd < lastStart {
		t.Errorf("one ended %v before the last began", lastStart.AsTime().Sub(firstEnd.AsTime()))
	}
}

// compareConnections expects that so many connections were used, each for as many calls,
// one after the other in their numbers.
func compareConnections(t *testing.T, outcomes []outcome, connections int) {
	t.Helper()
	each := len(outcomes) / connections
	used := map[string]int{}
	for i, came := range outcomes {
		used[came.Local]++
		if first := outcomes[i/each*each].Local; came.Local != first {
			t.Fatalf("call %d went over %s, the first of its connection over %s", i, came.Local,
				first)
		}
	}
	if len(used) != connections {
		t.Errorf("%d connections were used, of %d", len(used), connections)
	}
}

func hostAndPort(t *testing.T, address string) (string, int64) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseInt(port, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return host, number
}
