// Package soak traces programs that come and go while they call each other at a
// steady rate, for two minutes or as long as -duration says, and accounts for
// every call. A hostile process runs beside them. It needs root.
package soak

import (
	"flag"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

var duration = flag.Duration("duration", 2*time.Minute, "how long programs call each other")

const (
	// phaseTime is how long programs come and go before it is all accounted for.
	phaseTime = 20 * time.Second
	// lanes is how many pairs of programs there are at a time.
	lanes = 3
	// callRate is how many calls a second each pair makes. Together they are far from
	// what two processors hold: what is looked for is what time does, not load.
	callRate = 100
)

// soak is a run.
type soak struct {
	peer, folder string
	tracer       *tracing.Tracer
	spans        *counted
	staying      int // processes
	hostile      *target.Server
	started      atomic.Int64

	account account // of all phases
	phases  int
	busy    []usage // while calls are made, but for the first phase
	rest    []usage // when a phase has ended
}

func TestEveryCallIsAccountedForWhileProgramsComeAndGo(t *testing.T) {
	s := &soak{folder: t.TempDir(), spans: newCounted(), peer: target.Own(t, "soak")}
	// Lines on each process would be kept until the test has ended.
	logger := zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()),
		zapcore.Lock(os.Stderr), zap.WarnLevel))
	hostile := placeHostile(t)
	targets := []engine.Target{{Exe: s.peer}, {Exe: hostile}}
	s.tracer = tracing.StartWith(t, engine.Config{Targets: targets}, logger, s.spans.consume)

	// One stays, so that from now on each process of the file is traced from its
	// first instruction on.
	target.Start(t, s.peer, "-tally", filepath.Join(s.folder, "idle"))
	s.staying = 1
	s.tracer.AwaitTracing(t, s.staying)
	s.startHostile(t, hostile)

	for began := time.Now(); time.Since(began) < *duration && !t.Failed(); {
		s.phase(t)
	}
	if s.phases < 2 {
		t.Fatal("a run of less than two phases says nothing of the engine's memory")
	}
	stats := s.tracer.MustStats(t)
	t.Logf("what came of it:\n%s", s.figures(stats))
	s.account.compareDegraded(t, stats)
	expectSteady(t, measures(s.busy, s.rest))
}

// phase has pairs come and go for a while, and accounts for what they did.
func (s *soak) phase(t *testing.T) {
	before := s.settle(t)
	s.spans.takeHostile()
	s.signal(t, syscall.SIGCONT)
	over := time.Now().Add(phaseTime)
	ended := make([][]*pair, lanes)
	var running sync.WaitGroup
	for lane := range ended {
		running.Go(func() {
			// Not all come and go at the same time.
			lifetime := pairTime * time.Duration(lane+lanes) / lanes
			for time.Now().Before(over) {
				p, err := s.live(min(lifetime, time.Until(over)))
				if err != nil {
					t.Error(err)
					return
				}
				ended[lane] = append(ended[lane], p)
			}
		})
	}
	for time.Now().Before(over) {
		time.Sleep(usageInterval)
		if u := s.usage(t); s.phases > 0 {
			s.busy = append(s.busy, u)
		}
	}
	running.Wait()
	after := s.settle(t)
	s.rest = append(s.rest, s.usage(t))
	s.expectNothingLeft(t)

	var a account
	for _, pairs := range ended {
		for _, p := range pairs {
			a.add(t, p, s.spans)
		}
	}
	a.hostile = s.spans.takeHostile()
	a.compare(t, before, after)
	if n, err := s.spans.forget(); n != 0 || err != nil {
		t.Errorf("%d spans are of no call: %v", n, err)
	}
	s.account.sum(&a)
	s.phases++
	t.Logf(
		"phase %d: %d pairs, of which %d ended with a kill: %d calls made and %d served, %d lost",
		s.phases, a.pairs, a.kills, a.made(), a.served(), a.lost,
	)
}

// settle waits until every call has become a span or was counted, and no process
// is traced but those that stay. The hostile process stands still from then on.
func (s *soak) settle(t *testing.T) engine.Stats {
	t.Helper()
	s.stopHostile(t)
	var stats engine.Stats
	tracing.Eventually(t, func() bool {
		stats = s.tracer.MustStats(t)
		return stats.Processes == s.staying && s.ofOthers(t) == 0 &&
			stats.Operations == stats.Emitted+stats.NotSampled+stats.Discarded+tracing.Lost(stats)+
				uint64(stats.Active)
	}, "the equation to hold: %+v", &stats)
	return stats
}
