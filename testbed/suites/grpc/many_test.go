package grpc

import (
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc/codes"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// numbered is the method of many calls: a number comes behind it, and the status
// of each follows from that.
const numbered = "/testbed.Any/Call"

func TestCallsAtATimeAreNotCrossed(t *testing.T) {
	for _, p := range pairs() {
		t.Run(p.build(serverSource).String(), func(t *testing.T) {
			compareMany(t, p, many{Goroutines: 50, Calls: 20, Connections: 7}, "")
		})
	}
}

func TestFiveThousandCallsInFlightHaveTheirSpans(t *testing.T) {
	const calls = 5000
	for _, p := range []pair{pairs()[0], newest} {
		t.Run(p.build(serverSource).String(), func(t *testing.T) {
			spans := compareMany(t, p, many{Goroutines: calls, Calls: 1, Connections: 50},
				fmt.Sprintf("gather=%d", calls))
			// All were in flight together: none ended before the last one began.
			firstEnd, lastStart := spans[0].EndTimestamp(), spans[0].StartTimestamp()
			for _, s := range spans {
				firstEnd, lastStart = min(firstEnd, s.EndTimestamp()), max(lastStart,
					s.StartTimestamp())
			}
			if firstEnd < lastStart {
				t.Errorf("one ended %v before the last began",
					lastStart.AsTime().Sub(firstEnd.AsTime()))
			}
		})
	}
}

// Where a server allows for few streams at a time, a call waits for one with an id that another one
// then gets. That one may be none that is traced, such as one for which there is no room.
func TestACallThatWaitsForItsTurnIsNotTakenForTheOneThatGoes(t *testing.T) {
	const waiting, each = 40, 10
	for _, p := range []pair{pairs()[0], newest} {
		t.Run(p.build(serverSource).String(), func(t *testing.T) {
			server := target.Start(t, target.MustCompile(t, p.build(serverSource)), "-unknown",
				"-streams", "1")
			caller := target.Start(t, target.MustCompile(t, p.build(callerSource)))
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{
				{PID: server.PID},
				{PID: caller.PID},
			}, MaxActiveSpans: waiting / 2})
			tracer.AwaitTracing(t, 2)
			place(t, caller, order{
				Target: server.Address, Kind: "unary", Method: numbered,
				Many: many{Goroutines: waiting, Calls: each, Connections: 1},
			})
			stats := tracer.Settle(t)
			sent := map[pcommon.SpanID]string{}
			for _, s := range tracer.Spans() {
				if s.Kind() == ptrace.SpanKindClient {
					sent[s.SpanID()] = called(s)
				}
			}
			// those that have no parent, or one for whose span there was no room
			var children, others int
			for _, s := range tracer.Spans() {
				if s.Kind() != ptrace.SpanKindServer {
					continue
				}
				switch parent, seen := sent[s.ParentSpanID()]; {
				case !seen:
					others++
				case parent != called(s):
					t.Errorf("%s is a child of %s", called(s), parent)
				default:
					children++
				}
			}
			if lost := stats.Lost[engine.LostActiveSpansFull]; children == 0 || lost == 0 ||
				children+others != waiting*each {
				t.Errorf(
					"%d calls have a parent, %d have none, there was no room for %d: the test shows nothing",
					children,
					others,
					lost,
				)
			}
		})
	}
}

// compareMany has a caller make many calls to a server, traces both, and compares
// what comes of each call at both ends.
func compareMany(t *testing.T, p pair, m many, ending string) []tracing.Span {
	t.Helper()
	server := target.Start(t, target.MustCompile(t, p.build(serverSource)), "-unknown")
	caller := target.Start(t, target.MustCompile(t, p.build(callerSource)))
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{
		{PID: server.PID},
		{PID: caller.PID},
	}, RingBufferSize: 16 << 20})
	tracer.AwaitTracing(t, 2)
	o := order{
		Target: server.Address, Kind: "unary", Method: numbered,
		Metadata: map[string]string{"ending": ending}, Many: m,
	}
	outcomes := place(t, caller, o)
	calls := m.Goroutines * m.Calls
	if len(outcomes) != calls || server.Served(t) != calls {
		t.Fatalf("%d calls were to be made, %d were, and %d reached a handler", calls,
			len(outcomes), server.Served(t))
	}
	ends := map[ptrace.SpanKind]map[string]tracing.Span{
		ptrace.SpanKindClient: {},
		ptrace.SpanKindServer: {},
	}
	for _, s := range tracer.Await(t, 2*calls) {
		method := called(s)
		if _, twice := ends[s.Kind()][method]; twice {
			t.Fatalf("two %s spans of %s", s.Kind(), method)
		}
		ends[s.Kind()][method] = s
	}
	lostNothing(t, tracer, 2*calls)

	host, port := hostAndPort(t, server.Address)
	ports := map[any]int{}     // the client's ends of the connections
	over := make([]any, calls) // the one that a call came over
	var answered []tracing.Span
	for i, came := range outcomes {
		if want := codes.Code(i % len(codeNames)); codes.Code(came.Code) != want ||
			came.Peer != server.Address {
			t.Fatalf("call %d ended otherwise: %+v", i, came)
		}
		method := strings.TrimPrefix(came.Method, "/")
		sent, seen := ends[ptrace.SpanKindClient][method]
		if !seen {
			t.Fatalf("no CLIENT span of %s", method)
		}
		e := errand{order: order{Method: came.Method}, host: host, port: port}
		compare(t, method, wanted(e, came), came.window(), sent)

		got, seen := ends[ptrace.SpanKindServer][method]
		if !seen {
			t.Fatalf("no SERVER span of %s", method)
		}
		over[i] = got.Values()["client.port"]
		ports[over[i]]++
		want := expected(ptrace.SpanKindServer, method, codes.Code(came.Code))
		want.TraceID, want.ParentID = sent.TraceID().String(), sent.SpanID().String()
		want.change(map[string]any{
			"server.address": host, "server.port": port, "user_agent.original": p.userAgent(),
			"client.address": host, "client.port": over[i], "network.peer.address": host,
			"network.peer.port": over[i],
		})
		compare(t, method, want, came.window(), got)
		if t.Failed() {
			t.Fatal("the others are not compared")
		}
		answered = append(answered, got)
	}
	if len(ports) != m.Connections {
		t.Errorf("%d connections were used, of %d", len(ports), m.Connections)
	}
	for i := range over {
		if first := over[i/m.Calls%m.Connections*m.Calls]; over[i] != first {
			t.Fatalf("call %d went over %v, the first of its connection over %v", i, over[i], first)
		}
	}
	return answered
}
