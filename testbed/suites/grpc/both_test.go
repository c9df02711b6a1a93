package grpc

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// A handler that makes a call has two operations on one goroutine.
func TestAServerThatCallsAnotherHasASpanOfEach(t *testing.T) {
	const calls = 200
	behind := target.Start(t, target.MustCompile(t, newest.build(serverSource)), "-unknown")
	for _, build := range builds(serverSource) {
		t.Run(build.String(), func(t *testing.T) {
			server, tracer := served(t, build, "-unknown", "-workers", "4")
			clients := []*remote{overTCP(t, server.Address), overTCP(t, server.Address)}
			var wg sync.WaitGroup
			for i := range calls {
				wg.Go(func() {
					ending := fmt.Sprintf("forward code=%d", i%len(codeNames))
					_, err := clients[i%2].call(context.Background(), "unary",
						fmt.Sprint(numbered, i), 0, []string{
							"ending", ending, "to",
							behind.Address,
						})
					if got := status.Code(err); got != codes.Code(i%len(codeNames)) {
						t.Errorf("call %d ended with %s: %v", i, got, err)
					}
				})
			}
			wg.Wait()
			type ends struct{ client, server []tracing.Span }
			all := map[string]*ends{}
			for _, s := range tracer.Await(t, 2*calls) {
				method := called(s)
				if all[method] == nil {
					all[method] = &ends{}
				}
				switch e := all[method]; s.Kind() {
				case ptrace.SpanKindClient:
					e.client = append(e.client, s)
				case ptrace.SpanKindServer:
					e.server = append(e.server, s)
				}
			}
			lostNothing(t, tracer, 2*calls)
			for i := range calls {
				method := fmt.Sprint(numbered, i)[1:]
				e := all[method]
				if e == nil || len(e.client) != 1 || len(e.server) != 1 {
					t.Fatalf("%s has not one span of each kind: %+v", method, e)
				}
				compareBoth(t, method, codes.Code(i%len(codeNames)), e.server[0], e.client[0])
				if t.Failed() {
					t.Fatal("the others are not compared")
				}
			}
		})
	}
}

// compareBoth compares what a process tells of a call, and of the one that it
// made to answer it.
func compareBoth(t *testing.T, method string, code codes.Code, outer, inner tracing.Span) {
	t.Helper()
	for _, s := range []tracing.Span{outer, inner} {
		if got := s.Values()["rpc.response.status_code"]; got != codeNames[code] {
			t.Errorf("%s: the %s span has the status %v, not %s", method, s.Kind(), got,
				codeNames[code])
		}
	}
	if inner.StartTimestamp() < outer.StartTimestamp() ||
		inner.EndTimestamp() > outer.EndTimestamp() {
		t.Errorf("%s: the call that its handler made is not within it", method)
	}
	// No parent beats a wrong one.
	if parent := inner.ParentSpanID(); !parent.IsEmpty() &&
		(parent != outer.SpanID() || inner.TraceID() != outer.TraceID()) {
		t.Errorf("%s: the parent of the call that its handler made is span %s of trace %s", method,
			parent, inner.TraceID())
	}
}
