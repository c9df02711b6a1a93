// Package inject tests that what a program sends carries the context of its span where the
// kernel allows that, and is what it was in everything else. It needs root.
package inject

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"

	"github.com/spanprobe/spanprobe/internal/attach"
	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

// mode is what the kernel lets programs do: it names the tests, so that nobody takes one for
// the other.
func mode(t *testing.T) (name string, refused bool) {
	t.Helper()
	refusal, err := attach.CheckWrites()
	if err != nil {
		t.Fatal(err)
	}
	if refusal != "" {
		return "refused", true
	}
	return "allowed", false
}

// TestRequestsCarryTheContextOfTheirSpan has two forms, of which the kernel chooses one: where
// it refuses writes to other processes, requests have to go out as they are.
func TestRequestsCarryTheContextOfTheirSpan(t *testing.T) {
	name, refused := mode(t)
	for _, b := range builds() {
		t.Run(b.String()+" "+name, func(t *testing.T) {
			for _, form := range b.forms() {
				t.Run(form, func(t *testing.T) { testForm(t, b, form, refused) })
			}
		})
	}
}

func testForm(t *testing.T, b build, form string, refused bool) {
	s := startServer(t)
	caller := target.Start(t, target.MustCompile(t, b.Build))
	list := orders(b, form)
	for i := range list {
		list[i] = list[i].to(s)
		follow(t, caller, list[i])
	}
	// What arrives of a program that nobody traces is what has to arrive of it.
	plain := s.taken(t)
	tracer := start(t, caller, refused)
	for age, name := range []string{"connections that were open before", "new connections"} {
		t.Run(name, func(t *testing.T) {
			before, seen := tracer.MustStats(t), len(tracer.Spans())
			for i := range list {
				list[i].Age = age
				follow(t, caller, list[i])
			}
			tracer.Settle(t)
			arrived := s.taken(t)
			spans := spansOf(t, tracer.Spans()[seen:])
			var sum figures
			for _, o := range list {
				t.Run(o.Name, func(t *testing.T) {
					check(t, o, plain, arrived, spans, refused, &sum)
				})
			}
			compareStats(t, before, tracer.MustStats(t), sum, refused)
			t.Logf("%+v", sum)
		})
	}
}

// figures are how many requests arrived with what, and how many of them have no span and have to be
// counted.
type figures struct{ Carried, Without, Own, Lost uint64 }

// all of them.
func (f figures) all() uint64 { return f.Carried + f.Without + f.Own + f.Lost }

// start traces a caller, and checks what is said about it.
func start(t *testing.T, caller *target.Server, refused bool) *tracing.Tracer {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	logger := zaptest.NewLogger(t,
		zaptest.WrapOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
			return zapcore.NewTee(c, core)
		})))
	tracer := tracing.StartWith(t, engine.Config{
		Targets: []engine.Target{{PID: caller.PID}},
		Inject:  engine.InjectAuto,
	}, logger, nil)
	tracer.AwaitTracing(t, 1)
	lines := logs.FilterMessageSnippet("carry no trace context").All()
	switch {
	case refused && len(lines) != 1:
		t.Errorf("that requests carry no context is said %d times, not once", len(lines))
	case refused && !strings.Contains(lines[0].Message, "locked down"):
		t.Errorf("the reason is not told: %s", lines[0].Message)
	case !refused && len(lines) != 0:
		t.Errorf("it is said that requests carry no context: %s", lines[0].Message)
	}
	return tracer
}

func (o order) to(s *server) order {
	o.Address = s.addresses[o.of()]
	return o
}

// of is which of the servers it is for.
func (o order) of() string {
	kind, listener := "http", "plain"
	if o.Protocol == "unary" || o.Protocol == "stream" {
		kind = "grpc"
	}
	if o.TLS {
		listener = "tls"
	}
	return kind + " " + listener
}

func (o order) path(i int) string { return fmt.Sprintf("/%s/%d", o.Name, i) }

func follow(t *testing.T, caller *target.Server, o order) {
	t.Helper()
	var errs []string
	if err := caller.Order(o, &errs); err != nil {
		t.Fatal(err)
	}
	if len(errs) > 0 {
		t.Errorf("%s: %d of %d requests failed: %s", o.Name, len(errs), o.Requests, errs[0])
	}
}

// spansOf names the CLIENT spans by what they are of.
func spansOf(t *testing.T, spans []tracing.Span) map[string]tracing.Span {
	t.Helper()
	all := map[string]tracing.Span{}
	for _, s := range spans {
		if s.Kind() != ptrace.SpanKindClient {
			continue
		}
		name := tree.Target(s)
		if _, twice := all[name]; twice {
			t.Errorf("%s has two spans", name)
		}
		all[name] = s
	}
	return all
}

// check compares each request of an order with what it was when nobody traced the program.
func check(t *testing.T, o order, plain, arrived map[string][]arrival,
	spans map[string]tracing.Span, refused bool, sum *figures,
) {
	t.Helper()
	mine := figures{}
	for i := range o.Requests {
		path := o.path(i)
		if len(plain[path]) != 1 || len(arrived[path]) != 1 {
			t.Errorf("%s arrived %d times, and %d times untraced", path, len(arrived[path]),
				len(plain[path]))
			continue
		}
		got, was := arrived[path][0], plain[path][0]
		span, traced := spans[tree.Called(path)]
		if !traced && o.expect != own {
			mine.Lost++
			if _, values := traceparent(got.Header); len(values) > 0 {
				t.Errorf("%s has no span, and carries %q", path, values)
			}
		} else if o.expect == own {
			mine.Own++
			if traced {
				t.Errorf("%s has a span, and says itself whose child it is", path)
			}
		} else if key, values := traceparent(got.Header); key != "" {
			mine.Carried++
			want := "00-" + span.TraceID().String() + "-" + span.SpanID().String() + "-01"
			if refused {
				t.Errorf("%s carries %q", path, values)
			} else if len(values) != 1 || values[0] != want {
				t.Errorf("%s carries %q, not %s", path, values, want)
			}
			delete(got.Header, key)
		} else {
			mine.Without++
			if !refused && !o.mayLack(mine.Without) {
				t.Errorf("%s carries nothing, as %d before", path, mine.Without-1)
			}
		}
		if d := cmp.Diff(was, got); d != "" {
			t.Errorf("%s is not what it was (-untraced +traced):\n%.2000s", path, d)
		}
		if t.Failed() && i > few {
			t.Fatal("the others are not compared")
		}
	}
	t.Logf("%+v", mine)
	sum.Carried += mine.Carried
	sum.Without += mine.Without
	sum.Own += mine.Own
	sum.Lost += mine.Lost
}

// mayLack tells whether so many requests of an order may carry nothing.
func (o order) mayLack(n uint64) bool {
	// Where the header block is handed over in registers there is but the room that the frame's
	// buffer has.
	if runtime.GOARCH == "arm64" && o.Protocol != "http1" {
		return true
	}
	return o.expect == ifRoom || o.expect == afterFirst && n <= 1
}

func traceparent(header map[string][]string) (key string, values []string) {
	for key, values := range header {
		if strings.EqualFold(key, "traceparent") {
			return key, values
		}
	}
	return "", nil
}

// compareStats compares what was counted with what arrived.
func compareStats(t *testing.T, before, after engine.Stats, sum figures, refused bool) {
	t.Helper()
	got := figures{
		after.Injected - before.Injected, after.NotInjected - before.NotInjected,
		after.SelfTraced - before.SelfTraced,
		tracing.Lost(after) - tracing.Lost(before),
	}
	want := sum
	if refused {
		want.Carried, want.Without = 0, 0
	}
	if got != want {
		t.Errorf("counted as %+v, and arrived as %+v", got, want)
	}
	// A page that the kernel is just moving cannot be read.
	if sum.Lost > sum.all()/100 {
		t.Errorf("%d of %d have no span: %v", sum.Lost, sum.all(), after.Lost)
	}
}
