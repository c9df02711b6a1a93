// Package grpc tests the tracing of servers and clients of google.golang.org/grpc
// on real binaries in the running kernel. It needs root.
package grpc

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc/codes"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

const (
	scopeOfServers = "github.com/spanprobe/spanprobe/google.golang.org/grpc"
	scopeOfClients = "github.com/spanprobe/spanprobe/google.golang.org/grpc/client"
)

const (
	traceID  = "0af7651916cd43dd8448eb211c80319c"
	parentID = "b7ad6b7169203331"
	sampled  = "00-" + traceID + "-" + parentID + "-01"
)

// kinds are the kinds of calls, with the method that is one.
var kinds = []struct{ kind, method string }{
	{"unary", "testbed.Calls/Unary"},
	{"server", "testbed.Calls/ServerStream"},
	{"client", "testbed.Calls/ClientStream"},
	{"bidi", "testbed.Calls/BidiStream"},
}

// methodOf is the method that a kind of call is made to.
func methodOf(kind string) string {
	for _, k := range kinds {
		if k.kind == kind {
			return k.method
		}
	}
	panic("no kind of calls: " + kind)
}

// codeNames are the names that the conventions use, those of
// https://grpc.io/docs/guides/status-codes.
var codeNames = []string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
	"ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
	"INTERNAL", "UNAVAILABLE", "DATA_LOSS",
	"UNAUTHENTICATED",
}

// faults are the codes that are an error of the server's: the others say what it
// was asked for.
var faults = []codes.Code{
	codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented,
	codes.Internal, codes.Unavailable, codes.DataLoss,
}

// span is all of a span but what changes from run to run.
type span struct {
	Scope      string
	Name       string
	Kind       ptrace.SpanKind
	Status     ptrace.StatusCode
	TraceID    string // "" for a new one
	ParentID   string
	TraceState string
	Attributes map[string]any
}

// expected is the span of a call to a method that ended with a code, as far as
// servers and clients have it alike.
func expected(kind ptrace.SpanKind, method string, code codes.Code) span {
	s := span{
		Scope: scopeOfClients, Name: method, Kind: kind,
		Attributes: map[string]any{
			"rpc.system.name": "grpc", "rpc.method": method,
			"rpc.response.status_code": codeNames[code],
		},
	}
	failed := code != codes.OK
	if kind == ptrace.SpanKindServer {
		s.Scope = scopeOfServers
		failed = slices.Contains(faults, code)
		if code == codes.Unimplemented || !strings.Contains(method, "/") {
			// It may have no such method, or surely has none of no form. Old releases answer the
			// latter with another code. The conventions want none named then.
			s.Name = "grpc"
			s.Attributes["rpc.method"], s.Attributes["rpc.method_original"] = "_OTHER", method
		}
	}
	if failed {
		s.Status = ptrace.StatusCodeError
		s.Attributes["error.type"] = codeNames[code]
	}
	return s
}

// change puts attributes into a span, and takes those out that are nil.
func (s span) change(attributes map[string]any) span {
	for key, value := range attributes {
		if value == nil {
			delete(s.Attributes, key)
		} else {
			s.Attributes[key] = value
		}
	}
	return s
}

// called is the method that a span is of, whatever its server knows of it.
func called(s tracing.Span) string {
	if original, ok := s.Values()["rpc.method_original"].(string); ok {
		return original
	}
	method, _ := s.Values()["rpc.method"].(string)
	return method
}

// window is when a call was made.
type window struct{ from, to time.Time }

// clockError is how far the two clocks may be read apart.
const clockError = time.Millisecond

// compare compares a span that came with what was expected of a call.
func compare(t *testing.T, call string, want span, when window, got tracing.Span) {
	t.Helper()
	seen := span{
		Scope: got.Scope, Name: got.Name(), Kind: got.Kind(), Status: got.Status().Code(),
		TraceState: got.TraceState().AsRaw(), Attributes: got.Values(),
	}
	if !got.ParentSpanID().IsEmpty() {
		seen.ParentID = got.ParentSpanID().String()
	}
	if want.TraceID != "" || seen.ParentID != "" {
		seen.TraceID = got.TraceID().String()
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("%s: the span is not what happened (-want +got):\n%s", call, diff)
	}
	if got.SpanID().IsEmpty() || got.TraceID().IsEmpty() {
		t.Errorf("%s: span %q of trace %q", call, got.SpanID(), got.TraceID())
	}
	from, to := got.StartTimestamp().AsTime(), got.EndTimestamp().AsTime()
	if from.Before(when.from.Add(-clockError)) || to.After(when.to.Add(clockError)) ||
		to.Before(from) {
		t.Errorf("%s: from %v to %v, while the call was made from %v to %v", call, from, to,
			when.from, when.to)
	}
}

// inOrder waits for n spans, of calls that were made one after the other, and
// returns them in that order. Which came out first is another matter: a client
// may see the end of a call before its server has left it.
func inOrder(t *testing.T, tracer *tracing.Tracer, n int) []tracing.Span {
	t.Helper()
	spans := tracer.Await(t, n)
	if len(spans) != n {
		t.Fatalf("%d spans of %d calls", len(spans), n)
	}
	slices.SortFunc(spans, func(a, b tracing.Span) int {
		return a.StartTimestamp().AsTime().Compare(b.StartTimestamp().AsTime())
	})
	seen := map[string]bool{}
	for _, s := range spans {
		if id := s.SpanID().String(); seen[id] {
			t.Errorf("two spans are called %s", id)
		} else {
			seen[id] = true
		}
	}
	return spans
}

// lostNothing expects that so many calls have become spans, and nothing else was
// seen. What was discarded was none of them: a request of net/http's that turned
// out to be gRPC's.
func lostNothing(t *testing.T, tracer *tracing.Tracer, calls int) {
	t.Helper()
	var stats engine.Stats
	tracing.Eventually(t, func() bool {
		stats = tracer.MustStats(t)
		return stats.Active == 0
	}, "no call to be in flight: %+v", &stats)
	if stats.Operations-stats.Discarded != uint64(calls) || stats.Emitted != uint64(calls) ||
		tracing.Lost(stats) != 0 {
		t.Errorf("no loss of %d calls expected: %+v", calls, stats)
	}
	// A connection may be closed before it is told, by which nobody here finds a parent.
	delete(stats.Degraded, engine.DegradedUnknownConnection)
	for reason, n := range stats.Degraded {
		if n != 0 {
			t.Errorf("%d spans lack something: %s", n, reason)
		}
	}
}

// hostAndPort are those of "host:port".
func hostAndPort(t *testing.T, address string) (string, int64) {
	t.Helper()
	colon := strings.LastIndexByte(address, ':')
	port, err := strconv.ParseInt(address[colon+1:], 10, 64)
	if err != nil {
		t.Fatalf("%q: %v", address, err)
	}
	return strings.Trim(address[:colon], "[]"), port
}
