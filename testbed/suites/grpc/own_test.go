package grpc

import (
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc/codes"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/loopback"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// A program that tells the server whose child a call is has a span of its own for it, whoever
// in it sees to that.
func TestACallThatSaysItselfWhoseChildItIsHasNoSpan(t *testing.T) {
	const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	server, gone := target.Start(t, target.MustCompile(t,
		newest.build(serverSource))), loopback.Refusing(t)
	for _, build := range builds(callerSource) {
		t.Run(build.String(), func(t *testing.T) {
			caller := target.Start(t, target.MustCompile(t, build))
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: caller.PID}}})
			tracer.AwaitTracing(t, 1)
			calls, told := 0, 0
			call := func(o order, code codes.Code) {
				o.Method = "/" + methodOf(o.Kind)
				if came := place(t, caller, o)[0]; codes.Code(came.Code) != code {
					t.Errorf("%+v ended with %s: %s", o, codes.Code(came.Code), came.Error)
				}
				calls++
			}
			for _, k := range kinds {
				for _, o := range []order{
					{Metadata: map[string]string{"traceparent": traceparent}},
					{Metadata: map[string]string{"traceparent": traceparent}, Timeout: 20_000},
					{
						Metadata: map[string]string{
							"a": "1", "b": "2",
							"traceparent": traceparent,
						},
						Interceptor: true, Stats: true,
					},
					{Parent: "program"},
					{Parent: "program", Metadata: map[string]string{"a": "1"}, Timeout: 20_000},
					{Parent: "interceptor", Interceptor: true},
					{Parent: "stats handler", Stats: true},
					{
						Parent: "stats handler", Stats: true, Interceptor: true,
						Metadata: map[string]string{"a": "1"},
					},
				} {
					o.Kind, o.Target = k.kind, server.Address
					call(o, codes.OK)
					o.Target = gone
					if o.Parent != "stats handler" { // whom no transport has asked yet
						call(o, codes.Unavailable)
					}
				}
				// Others are not taken for those, on the same connections.
				call(order{Kind: k.kind, Target: server.Address}, codes.OK)
				call(order{
					Kind: k.kind, Target: server.Address, Stats: true,
					Metadata: map[string]string{"tracestate": "a=1"},
				}, codes.OK)
				call(order{Kind: k.kind, Target: gone}, codes.Unavailable)
				told += 3
			}
			stats := tracer.Settle(t)
			if got := int(stats.SelfTraced); got != calls-told {
				t.Errorf("%d calls were left to the program itself, of %d", got, calls-told)
			}
			if got := len(tracer.Await(t, told)); got != told {
				t.Errorf("%d spans, and %d calls without a parent of their own", got, told)
			}
			for _, s := range tracer.Spans() {
				if s.Kind() != ptrace.SpanKindClient {
					t.Errorf("a span of the kind %s", s.Kind())
				}
			}
			if n := tracing.Lost(stats); n != 0 {
				t.Errorf("%d calls were lost: %v", n, stats.Lost)
			}
		})
	}
}
