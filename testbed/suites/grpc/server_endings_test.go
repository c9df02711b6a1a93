package grpc

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// served starts a server, and an engine that traces it.
func served(
	t *testing.T, build target.Build, arguments ...string,
) (*target.Server, *tracing.Tracer) {
	t.Helper()
	server := target.Start(t, target.MustCompile(t, build), arguments...)
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
	tracer.AwaitTracing(t, 1)
	return server, tracer
}

// returned asks a server for the status that its last handler has returned.
func returned(t *testing.T, server *target.Server) codes.Code {
	t.Helper()
	code, err := strconv.ParseUint(server.Ask(t, "returned"), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return codes.Code(code)
}

// awaitServed waits until so many calls have reached a handler.
func awaitServed(t *testing.T, server *target.Server, n int) {
	t.Helper()
	tracing.Eventually(t, func() bool {
		return server.Served(t) == n
	}, "%d calls to reach a handler", n)
}

// sleeping makes a call of each kind that goes on until something ends it. The
// channel gives how each ended for the client.
func sleeping(ctx context.Context, t *testing.T, server *target.Server, r *remote) <-chan error {
	t.Helper()
	ended := make(chan error, len(kinds))
	for _, k := range kinds {
		go func() {
			_, err := r.call(ctx, k.kind, "/"+k.method, 0, []string{"ending", "sleep"})
			ended <- err
		}()
	}
	awaitServed(t, server, len(kinds))
	return ended
}

// What ends a call from without ends the context of its handler: the span has the
// status that the handler then returns.
func TestACallThatIsBrokenOffHasTheStatusThatItsHandlerReturns(t *testing.T) {
	for _, build := range builds(serverSource) {
		t.Run(build.String(), func(t *testing.T) {
			for _, c := range []struct {
				name string
				stop func(t *testing.T, r *remote, server *target.Server, cancel func())
			}{
				{"by the client", func(_ *testing.T, _ *remote, _ *target.Server, cancel func()) {
					cancel()
				}},
				{"with its connection", func(_ *testing.T, r *remote, _ *target.Server, _ func()) {
					r.Close()
				}},
				{"with its server", func(t *testing.T, _ *remote, server *target.Server, _ func()) {
					server.Ask(t, "stop")
				}},
			} {
				t.Run(c.name, func(t *testing.T) {
					server, tracer := served(t, build)
					r := overTCP(t, server.Address)
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					when := window{from: time.Now()}
					ended := sleeping(ctx, t, server, r)
					c.stop(t, r, server, cancel)
					for range kinds {
						if err := <-ended; err == nil {
							t.Error("a call was answered")
						}
					}
					spans := inOrder(t, tracer, len(kinds))
					when.to = time.Now()
					for _, k := range kinds {
						i := slices.IndexFunc(spans, func(s tracing.Span) bool {
							return s.Name() == k.method
						})
						if i < 0 {
							t.Errorf("no span of %s", k.method)
							continue
						}
						e := exchange{method: k.method, code: codes.Canceled}
						compare(t, k.kind, e.wanted(r), when, spans[i])
					}
					lostNothing(t, tracer, len(kinds))
				})
			}
		})
	}
}

// At a deadline, the client gives the call up while its server does: the handler
// sees what comes first.
func TestACallBeyondItsDeadlineHasTheStatusThatItsHandlerReturns(t *testing.T) {
	for _, build := range builds(serverSource) {
		t.Run(build.String(), func(t *testing.T) {
			server, tracer := served(t, build)
			r := overTCP(t, server.Address)
			for i, k := range kinds {
				ctx, cancel := context.WithTimeout(context.Background(), while*time.Millisecond)
				when, err := r.call(ctx, k.kind, "/"+k.method, 0, []string{"ending", "sleep"})
				cancel()
				mustEnd(t, k.kind, err, codes.DeadlineExceeded)
				got := inOrder(t, tracer, i+1)[i]
				e := exchange{method: k.method, code: returned(t, server)}
				if e.code != codes.DeadlineExceeded && e.code != codes.Canceled {
					t.Fatalf("%s: the handler returned %s", k.kind, e.code)
				}
				compare(t, k.kind, e.wanted(r), window{when.from, time.Now()}, got)
			}
			lostNothing(t, tracer, len(kinds))
		})
	}
}

// What the server then makes of an answer that nobody takes differs from version
// to version.
func TestACallThatItsClientHasLeftHasItsSpanWhenItsHandlerReturns(t *testing.T) {
	for _, build := range builds(serverSource) {
		t.Run(build.String(), func(t *testing.T) {
			server, tracer := served(t, build)
			r := overTCP(t, server.Address)
			from := time.Now()
			for _, k := range kinds {
				ctx, cancel := context.WithTimeout(context.Background(), while*time.Millisecond)
				_, err := r.call(ctx, k.kind, "/"+k.method, 0, []string{"ending", "block"})
				cancel()
				mustEnd(t, k.kind, err, codes.DeadlineExceeded)
			}
			awaitServed(t, server, len(kinds))
			if spans := tracer.Await(t, 0); len(spans) != 0 {
				t.Fatalf("%d spans of calls that go on", len(spans))
			}
			release := time.Now()
			server.Ask(t, "release")
			for i, got := range inOrder(t, tracer, len(kinds)) {
				code, _ := got.Values()["rpc.response.status_code"].(string)
				if got.Name() != kinds[i].method || !slices.Contains(codeNames, code) {
					t.Errorf("%s: a span of %s with the status %q", kinds[i].kind, got.Name(), code)
				}
				start, end := got.StartTimestamp().AsTime(), got.EndTimestamp().AsTime()
				if start.Before(from.Add(-clockError)) || start.After(release) ||
					end.Before(release.Add(-clockError)) {
					t.Errorf("%s: from %v to %v, of a handler that was released at %v",
						kinds[i].kind, start, end, release)
				}
			}
			lostNothing(t, tracer, len(kinds))
		})
	}
}

func TestCallsOfAServerThatIsKilledAreCountedAndHaveNoSpan(t *testing.T) {
	for _, build := range builds(serverSource) {
		t.Run(build.String(), func(t *testing.T) {
			server, tracer := served(t, build)
			ended := sleeping(context.Background(), t, server, overTCP(t, server.Address))
			if err := server.Kill(); err != nil {
				t.Fatal(err)
			}
			for range kinds {
				mustEnd(t, "a call of a server that was killed", <-ended, codes.Unavailable)
			}
			unfinished(t, tracer, len(kinds))
		})
	}
}

func TestAHandlerWhosePanicEndsItsProcessIsCountedAndHasNoSpan(t *testing.T) {
	for _, build := range builds(serverSource) {
		t.Run(build.String(), func(t *testing.T) {
			server, err := target.Run(target.MustCompile(t, build))
			if err != nil {
				t.Fatal(err)
			}
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
			tracer.AwaitTracing(t, 1)
			_, err = overTCP(t, server.Address).call(context.Background(), "unary",
				"/testbed.Calls/Unary", 0, []string{"ending", "panic"})
			if server.Stop() == nil {
				t.Fatal("it ended as if nothing had happened")
			}
			mustEnd(t, "a call whose handler panics", err, codes.Unavailable)
			unfinished(t, tracer, 1)
		})
	}
}

// unfinished expects that so many operations were in flight when their process
// ended, and that there were no others.
func unfinished(t *testing.T, tracer *tracing.Tracer, calls int) {
	t.Helper()
	tracing.Eventually(t, func() bool {
		return tracer.MustStats(t).Lost[engine.LostUnfinished] >= uint64(calls)
	}, "%d calls to be counted", calls)
	stats := tracer.MustStats(t)
	if tracing.Lost(stats) != uint64(calls) || stats.Operations != uint64(calls) ||
		len(tracer.Await(t, 0)) != 0 {
		t.Errorf("%d calls whose process ended, and %d spans: %+v", calls, len(tracer.Spans()),
			stats)
	}
}
