package grpc

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/loopback"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// traced starts a caller, and an engine that traces it.
func traced(t *testing.T, build target.Build) (*target.Server, *tracing.Tracer) {
	t.Helper()
	caller := target.Start(t, target.MustCompile(t, build))
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: caller.PID}}})
	tracer.AwaitTracing(t, 1)
	return caller, tracer
}

// toUnary is a call to a server, which ends as its metadata says.
func toUnary(address, ending string) order {
	return order{
		Target: address, Kind: "unary", Method: "/testbed.Calls/Unary",
		Metadata: map[string]string{"ending": ending},
	}
}

// begin places an order whose end the test has a part in.
func begin(t *testing.T, caller *target.Server, o order) {
	t.Helper()
	o.Begin = true
	place(t, caller, o)
}

// begun waits for the end of what was begun, and checks how it ended.
func begun(t *testing.T, caller *target.Server, code codes.Code, peer string) outcome {
	t.Helper()
	came := place(t, caller, order{Kind: "begun"})[0]
	if codes.Code(came.Code) != code || came.Peer != peer {
		t.Fatalf("the call ended otherwise: %+v", came)
	}
	return came
}

// awaitActive waits until so many operations are in flight.
func awaitActive(t *testing.T, tracer *tracing.Tracer, n int) {
	t.Helper()
	tracing.Eventually(t, func() bool {
		return tracer.MustStats(t).Active == n
	}, "%d calls in flight", n)
}

func TestAStreamThatIsOpenWhenItsProcessEndsIsCountedAndHasNoSpan(t *testing.T) {
	upstream := target.Start(t, target.MustCompile(t, newest.build(serverSource)))
	for _, build := range builds(callerSource) {
		t.Run(build.String(), func(t *testing.T) {
			caller, tracer := traced(t, build)
			streams := 0
			for _, k := range kinds {
				if k.kind == "unary" {
					continue
				}
				place(t, caller, order{
					Target: upstream.Address, Kind: k.kind,
					Method: "/" + k.method, Leave: "open",
				})
				streams++
			}
			place(t, caller, toUnary(upstream.Address, ""))
			awaitActive(t, tracer, streams)
			if err := caller.Stop(); err != nil {
				t.Fatal(err)
			}
			tracing.Eventually(t, func() bool {
				return tracer.MustStats(t).Lost[engine.LostUnfinished] >= uint64(streams)
			}, "%d streams to be counted", streams)
			spans := tracer.Await(t, 1)
			stats := tracer.MustStats(t)
			if len(spans) != 1 || spans[0].Name() != "testbed.Calls/Unary" ||
				tracing.Lost(stats) != uint64(streams) {
				t.Errorf("%d spans of one call and %d streams that were left open: %+v", len(spans),
					streams, stats)
			}
		})
	}
}

func TestACallWhoseServerDiesSaysThatItWasUnavailable(t *testing.T) {
	for _, build := range builds(callerSource) {
		t.Run(build.String(), func(t *testing.T) {
			upstream := target.Start(t, target.MustCompile(t, newest.build(serverSource)))
			caller, tracer := traced(t, build)
			o := toUnary(upstream.Address, "sleep")
			begin(t, caller, o)
			tracing.Eventually(t, func() bool {
				return upstream.Served(t) == 1
			}, "the call to reach its handler")
			if err := upstream.Kill(); err != nil {
				t.Fatal(err)
			}
			came := begun(t, caller, codes.Unavailable, upstream.Address)
			host, port := hostAndPort(t, upstream.Address)
			e := errand{order: o, host: host, port: port}
			compare(t, "a call whose server was killed", wanted(e, came), came.window(),
				inOrder(t, tracer, 1)[0])
			lostNothing(t, tracer, 1)
		})
	}
}

func TestACallThatWaitsForItsServerIsOneSpan(t *testing.T) {
	executable := target.MustCompile(t, newest.build(serverSource))
	for _, build := range builds(callerSource) {
		t.Run(build.String(), func(t *testing.T) {
			caller, tracer := traced(t, build)
			o := toUnary(loopback.Refusing(t), "")
			o.Wait = true
			begin(t, caller, o)
			awaitActive(t, tracer, 1)
			began := time.Now()
			upstream := target.Start(t, executable, "-listen", o.Target)
			came := begun(t, caller, codes.OK, upstream.Address)
			host, port := hostAndPort(t, o.Target)
			e := errand{order: o, host: host, port: port}
			got := inOrder(t, tracer, 1)[0]
			compare(t, "a call that waited", wanted(e, came), came.window(), got)
			if !got.StartTimestamp().AsTime().Before(began.Add(clockError)) {
				t.Error("the span begins when the server was there, not when the call was made")
			}
			lostNothing(t, tracer, 1)
		})
	}
}
