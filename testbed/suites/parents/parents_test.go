// Package parents tests which request a call is told to be for: in each way in
// which a program gets from the one to the other, whole trees are compared. It needs root.
package parents

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

// only is for who looks for what is wrong with one of them.
var only = flag.String("ways", "",
	"which ways from a request to its calls to go: a regular expression")

var (
	sides = []string{"http1", "http2", "unary", "stream"}
	vias  = []string{"http", "grpc"}
)

// program is a server at work.
type program struct {
	*target.Server
	build   target.Build
	quiet   bool // it has no garbage collector
	tracer  *tracing.Tracer
	clients map[string]client // by side; each keeps its connections
}

func start(t *testing.T, build target.Build, config engine.Config) *program {
	t.Helper()
	web, rpc := startCalled(t)
	return startCalling(t, build, config, web, rpc)
}

// startQuiet starts a server without a garbage collector: goroutines have nothing to wait for but
// each other.
func startQuiet(t *testing.T, build target.Build, config engine.Config) *program {
	t.Helper()
	t.Setenv("GOGC", "off")
	p := start(t, build, config)
	p.quiet = true
	return p
}

// startCalling starts a server that calls these.
func startCalling(
	t *testing.T, build target.Build, config engine.Config, web, rpc string,
) *program {
	t.Helper()
	p := &program{
		Server: target.Start(t, target.MustCompile(t, build), "-http", web, "-grpc", rpc),
		build:  build,
	}
	p.clients = newClients(t, p.Address)
	config.Targets = append(config.Targets, engine.Target{PID: p.PID})
	p.tracer = tracing.Start(t, config)
	p.tracer.AwaitTracing(t, len(config.Targets))
	return p
}

func TestTheParentOfACallIsTheRequestThatItIsFor(t *testing.T) {
	for _, build := range builds() {
		t.Run(called(build), func(t *testing.T) {
			// A context that its program uses again is one that net/http may still look at: a
			// detector of races is right to say so.
			t.Setenv("GORACE", "exitcode=0")
			p := start(t, build, engine.Config{})
			p.Ask(t, "background")
			p.sendFirst(t)
			for _, side := range sides {
				for _, via := range vias {
					t.Run(side+"/"+via, func(t *testing.T) { p.compare(t, side, via) })
				}
			}
			t.Run("no request", p.compareBackground)
		})
	}
}

// compare sends the requests of all ways at the same time, while the program makes calls
// for no request too.
func (p *program) compare(t *testing.T, side, via string) {
	together, behind := selected(ways, side), selected(leftBehind, side)
	before := p.tracer.MustStats(t)
	p.Ask(t, "background")
	p.load(t, side, via, together)
	for _, w := range behind {
		p.leaveBehind(t, side, via, w)
		together = append(together, w, w.releasing())
	}
	p.Ask(t, "still") // else there would always be something that has not become a span yet
	stats := p.tracer.Settle(t)
	if n := tracing.Lost(stats); n != 0 {
		t.Errorf("%d operations were lost: %v", n, stats.Lost)
	}
	forest := tree.New(p.tracer.Spans(), name)
	var table strings.Builder
	var children started
	for _, w := range together {
		t.Run(w.name, func(t *testing.T) {
			under := path(side, via, w.name, "")
			r := forest.Compare(under, p.wants(w, side, under, w.count()))
			fmt.Fprintf(&table, "%-26s %s\n", w.name, r.Summary())
			report(t, r)
			children.add(w, r)
		})
	}
	children.expectCounted(t, p.build, before, stats)
	t.Logf("%s, calls over %s:\n%s", side, via, &table)
}

// started is what is known of calls that are made by goroutines which requests have started.
type started struct{ calls, without int }

func (s *started) add(w way, r *tree.Report) {
	if slices.Contains(w.calls, starter) {
		_, without := r.WithoutParent()
		s.calls += w.count() * len(w.calls)
		s.without += without
	}
}

// expectCounted expects that those without a parent were counted, and are less than half where it
// is known which goroutines do not exist yet.
func (s *started) expectCounted(t *testing.T, b target.Build, before, after engine.Stats) {
	t.Helper()
	if !knowsStarter(b) {
		return // then none has one, which is no matter of doubt
	}
	var counted uint64
	for _, reason := range []engine.DegradedReason{
		engine.DegradedAmbiguousParent,
		engine.DegradedEvictedParent,
	} {
		counted += after.Degraded[reason] - before.Degraded[reason]
	}
	t.Logf(
		"%d of %d calls of goroutines that requests have started have no parent, %d were counted",
		s.without, s.calls, counted,
	)
	if s.without > int(counted) || knowsLast(b) && 2*s.without > s.calls {
		t.Errorf(
			"%d of %d calls of goroutines that requests have started have no parent, %d were counted",
			s.without,
			s.calls,
			counted,
		)
	}
}

// The first of some requests start what then belongs to none.
const first = "first"

var firstWays = []string{"refreshed", "sql", "lazy-pool"}

func (p *program) sendFirst(t *testing.T) {
	t.Helper()
	for _, name := range firstWays {
		if err := p.clients["http1"].send(path(first, "http", name, "0"), ""); err != nil {
			t.Fatal(err)
		}
	}
}

// compareBackground expects that calls that are for no request have no parent, although a request
// has started the goroutines that make them.
func (p *program) compareBackground(t *testing.T) {
	var ticks, refreshes, opened int
	if _, err := fmt.Sscan(p.Ask(t, "still"), &ticks, &refreshes, &opened); err != nil {
		t.Fatal(err)
	}
	if ticks == 0 || refreshes == 0 || opened == 0 && *only == "" {
		t.Errorf(
			"%d calls of a ticker, %d of a refresher, %d of a pool's opener: the test shows nothing",
			ticks,
			refreshes,
			opened,
		)
	}
	p.tracer.Settle(t)
	forest := tree.New(p.tracer.Spans(), name)
	for kind, calls := range map[string]int{
		"ticker": ticks, "refresher": refreshes, "opener": opened,
	} {
		t.Run(kind, func(t *testing.T) {
			under := "/background/" + kind + "/"
			var wants []tree.Want
			for n := range calls {
				wants = append(wants, tree.Want{Name: tree.Called(fmt.Sprint(under, n))})
			}
			report(t, forest.Compare(under, wants))
		})
	}
	t.Run("first requests", func(t *testing.T) {
		var wants []tree.Want
		for _, w := range ways {
			if slices.Contains(firstWays, w.name) {
				wants = append(wants, p.wants(w, "http1", path(first, "http", w.name, ""),
					1)...)
			}
		}
		report(t, forest.Compare("/"+first, wants))
	})
}

// report fails the test if something is not as wanted, and says how many spans
// are as they are either way.
func report(t *testing.T, r *tree.Report) {
	t.Helper()
	if r.OK() {
		t.Log(r.Summary())
	} else {
		t.Error(r)
	}
}

func selected(all []way, side string) []way {
	pattern := regexp.MustCompile(*only)
	return slices.DeleteFunc(slices.Clone(all), func(w way) bool {
		return w.sides != nil && !slices.Contains(w.sides, side) || !pattern.MatchString(w.name)
	})
}

// path is what a request is called, without a number what all of a way begin with.
func path(side, via, way, number string) string {
	return strings.Join([]string{"", side, via, way, number}, "/")
}

// name names spans by paths. A call of gRPC has that of its request in the authority.
func name(s tracing.Span) string {
	values := s.Values()
	if s.Kind() == ptrace.SpanKindServer && values["rpc.system.name"] != nil {
		authority, _ := values["server.address"].(string)
		return tree.Served(strings.ReplaceAll(authority, ".", "/"))
	}
	return tree.Target(s)
}
