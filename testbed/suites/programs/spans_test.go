package programs

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

const scope = "github.com/spanprobe/spanprobe/"

// span is all of a span but its ids, its times, and the port of whoever called.
type span struct {
	Scope, Name, Kind, Status string
	Attributes                map[string]any
}

// plus returns the span with more attributes, and without those that are nil.
func (s span) plus(attributes map[string]any) span {
	all := map[string]any{}
	for _, m := range []map[string]any{s.Attributes, attributes} {
		for key, value := range m {
			all[key] = value
			if value == nil {
				delete(all, key)
			}
		}
	}
	s.Attributes = all
	return s
}

// failed returns the span as one of an operation that failed.
func (s span) failed(errorType string) span {
	s.Status = ptrace.StatusCodeError.String()
	return s.plus(map[string]any{"error.type": errorType})
}

// httpCall is the CLIENT span of a GET over HTTP/1.1 to a path of a server that
// answers.
func httpCall(t *testing.T, address, path string, status int) span {
	t.Helper()
	s := httpAttempt(t, address, path).plus(map[string]any{
		"http.response.status_code": int64(status), "network.protocol.version": "1.1",
		"network.peer.address": "127.0.0.1", "network.peer.port": int64(port(t, address)),
	})
	if status >= 400 {
		return s.failed(strconv.Itoa(status))
	}
	return s
}

// httpAttempt is one of which no more is known than what was asked for.
func httpAttempt(t *testing.T, address, path string) span {
	t.Helper()
	return span{
		Scope: scope + "net/http/client", Name: "GET", Kind: "Client", Status: "Unset",
		Attributes: map[string]any{
			"http.request.method": "GET", "url.full": "http://" + address + path,
			"server.address": "127.0.0.1", "server.port": int64(port(t, address)),
		},
	}
}

// grpcCall is the CLIENT span of a call by gRPC that went well.
func grpcCall(t *testing.T, address, method string) span {
	t.Helper()
	return span{
		Scope: scope + "google.golang.org/grpc/client", Name: method, Kind: "Client",
		Status: "Unset",
		Attributes: map[string]any{
			"rpc.system.name": "grpc", "rpc.method": method, "rpc.response.status_code": "OK",
			"server.address": "127.0.0.1", "server.port": int64(port(t, address)),
			"network.peer.address": "127.0.0.1", "network.peer.port": int64(port(t, address)),
		},
	}
}

// grpcServed is the SERVER span of one.
func grpcServed(t *testing.T, address, method, userAgent string) span {
	t.Helper()
	return span{
		Scope: scope + "google.golang.org/grpc", Name: method, Kind: "Server", Status: "Unset",
		Attributes: map[string]any{
			"rpc.system.name": "grpc", "rpc.method": method, "rpc.response.status_code": "OK",
			"server.address": "127.0.0.1", "server.port": int64(port(t, address)),
			"client.address": "127.0.0.1", "network.peer.address": "127.0.0.1",
			"user_agent.original": userAgent,
		},
	}
}

// times are so many spans alike.
type times struct {
	n int
	span
}

// expect waits until as many spans have come out as were expected, and compares
// them; nothing may be lost.
func expect(t *testing.T, tracer *tracing.Tracer, want ...times) {
	t.Helper()
	n := 0
	wanted, seen := map[string]int{}, map[string]int{}
	for _, w := range want {
		n += w.n
		wanted[text(t, w.span)] += w.n
	}
	spans := tracer.Await(t, n)
	for _, s := range spans {
		seen[text(t, known(t, s))]++
	}
	if diff := cmp.Diff(wanted, seen); diff != "" {
		t.Errorf("the spans are not what happened (-want +got):\n%s", diff)
	}
	parents(t, spans)
	lostNothing(t, tracer)
}

// text is a span in one line that is the same for spans alike.
func text(t *testing.T, s span) string {
	t.Helper()
	line, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(line)
}

// known is what is known beforehand of a span that came out.
func known(t *testing.T, s tracing.Span) span {
	t.Helper()
	attributes := s.Values()
	if s.Kind() == ptrace.SpanKindServer {
		peer, client := attributes["network.peer.port"], attributes["client.port"]
		if peer == nil || peer == int64(0) || client != nil && client != peer {
			t.Errorf("%q came from the ports %v and %v", s.Name(), peer, client)
		}
		delete(attributes, "network.peer.port")
		delete(attributes, "client.port")
	}
	return span{s.Scope, s.Name(), s.Kind().String(), s.Status().Code().String(), attributes}
}

// parents compares each span with its parent, where that is one of them: no parent
// beats a wrong one.
func parents(t *testing.T, spans []tracing.Span) {
	t.Helper()
	for _, s := range spans {
		i := slices.IndexFunc(spans, func(p tracing.Span) bool {
			return p.SpanID() == s.ParentSpanID()
		})
		if i < 0 {
			continue
		}
		if p := spans[i]; p.TraceID() != s.TraceID() || s.StartTimestamp() < p.StartTimestamp() {
			t.Errorf(
				"%q began at %v in trace %s, its parent %q at %v in trace %s", s.Name(),
				s.StartTimestamp(), s.TraceID(), p.Name(), p.StartTimestamp(), p.TraceID(),
			)
		}
	}
}

// expectJoined expects that so many requests are children of the calls that sent them, each of one
// of its own, but for those of which an end of the connection could not be told.
func expectJoined(t *testing.T, tracer *tracing.Tracer, n int) {
	t.Helper()
	calls, joined := map[pcommon.SpanID]string{}, map[pcommon.SpanID]bool{}
	spans := tracer.Spans()
	for _, s := range spans {
		if s.Kind() == ptrace.SpanKindClient {
			_, calls[s.SpanID()], _ = strings.Cut(tree.Target(s), " ")
		}
	}
	for _, s := range spans {
		call, ok := calls[s.ParentSpanID()]
		if s.Kind() != ptrace.SpanKindServer || !ok {
			continue
		}
		if tree.Target(s) != tree.Served(call) || joined[s.ParentSpanID()] {
			t.Errorf("%s is a child of a call to %s, which has another: %t", tree.Target(s), call,
				joined[s.ParentSpanID()])
		}
		joined[s.ParentSpanID()] = true
	}
	unknown := int(tracer.MustStats(t).Degraded[engine.DegradedUnknownConnection])
	if len(joined) > n || len(joined)+unknown < n || 2*len(joined) < n {
		t.Errorf(
			"%d of %d requests are children of calls, %d ends of connections could not be told",
			len(joined), n, unknown,
		)
	}
	t.Logf("%d of %d requests are children of calls", len(joined), n)
}

// lostNothing expects that nothing was lost, and no span lacks anything.
func lostNothing(t *testing.T, tracer *tracing.Tracer) {
	t.Helper()
	stats := tracer.MustStats(t)
	degraded := uint64(0)
	for reason, n := range stats.Degraded {
		if reason != engine.DegradedUnknownConnection { // programs close connections, too
			degraded += n
		}
	}
	if tracing.Lost(stats) != 0 || degraded != 0 {
		t.Errorf("nothing is lost: %+v", stats)
	}
}

// executables are targets by the paths of their files.
func executables(paths ...string) engine.Config {
	var config engine.Config
	for _, path := range paths {
		config.Targets = append(config.Targets, engine.Target{Exe: path})
	}
	return config
}
