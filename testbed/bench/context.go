package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/bench/server/program"
	"github.com/spanprobe/spanprobe/testbed/harness/await"
	"github.com/spanprobe/spanprobe/testbed/harness/collector"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

const (
	contextRounds = 3
	startsAtOnce  = 100 // goroutines, for each call of the kind "goroutines"
)

// way is one in which spans find their parents.
type way struct {
	report.Context
	engine.Config
}

// measureContext measures what it takes that spans find their parents: the programs of the kernel
// alone, for calls of which both ends are traced, and the processor time of a program that starts
// goroutines. The engine is in this process, since no receiver can be told to look for no parents.
func (b *bench) measureContext() error {
	ways := []way{
		{report.Isolated, engine.Config{Isolated: true}},
		{report.Joined, engine.Config{}},
		{report.Ancestry, engine.Config{GoroutineAncestry: true}},
	}
	b.run.Context = &report.ContextCost{
		Calls:  map[report.Mode]map[report.Context]report.Count{},
		Starts: map[report.Context][]time.Duration{},
	}
	for _, kind := range clients.kinds {
		b.run.Context.Calls[kind] = map[report.Context]report.Count{}
	}
	for round := range contextRounds {
		b.say("what it takes to find parents, round %d of %d", round+1, contextRounds)
		first := round % len(ways)
		rotated := slices.Concat(ways[first:], ways[:first])
		for _, w := range append([]way{{Context: report.Untraced}}, rotated...) {
			err := b.onStage(setup{subject: clients, key: report.Bare}, func(s *stage) error {
				return b.measureWay(s, w)
			})
			if err != nil {
				return fmt.Errorf("%s: %w", w.Context, err)
			}
		}
	}
	return nil
}

func (b *bench) measureWay(s *stage, w way) (err error) {
	if w.Context != report.Untraced {
		executables := []string{s.path("bare"), s.path("peer"), s.path(s.bare)}
		tracer, startErr := traceHere(b.ctx, w.Config, executables...)
		if startErr != nil {
			return startErr
		}
		defer func() { err = errors.Join(err, tracer.Shutdown(b.ctx)) }()
	}
	m, err := s.observe(func() (report.Measurement, error) {
		return s.call(program.Order{
			Kind: "goroutines", Options: load.Options{Duration: b.duration / 2},
			Goroutines: startsAtOnce,
		})
	})
	if err != nil {
		return err
	}
	starts := b.run.Context.Starts
	starts[w.Context] = append(starts[w.Context], m.App/time.Duration(m.Answered*startsAtOnce))
	if w.Context == report.Untraced {
		return nil
	}
	for _, kind := range s.kinds {
		m, ran, err := s.measureRuns(os.Getpid(), kind, b.rates[kind])
		if err != nil {
			return err
		}
		var count report.Count // of the last round
		for id, r := range ran {
			// They see to it that parents are found, above all.
			if w.Context == report.Isolated && strings.HasPrefix(id.name, "announce_") {
				continue
			}
			count.Hits += float64(r.n) / float64(m.Answered)
			count.Time += r.time / time.Duration(m.Answered)
		}
		b.run.Context.Calls[kind][w.Context] = count
	}
	return nil
}

// traceHere traces executables from within this process, and waits until a process of
// each is traced. Their spans are thrown away.
func traceHere(
	ctx context.Context, config engine.Config, executables ...string,
) (*engine.Engine, error) {
	for _, executable := range executables {
		config.Targets = append(config.Targets, engine.Target{Exe: collector.Literal(executable)})
	}
	tracer, err := tracing.New(config, zap.NewNop(),
		func(context.Context, ptrace.Traces) error { return nil }, func(error) {})
	if err != nil {
		return nil, err
	}
	if err := tracer.Start(ctx); err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	if err := await.Until(bounded, func(context.Context) error {
		stats, err := tracer.Stats()
		if err == nil && stats.Processes != len(executables) {
			err = fmt.Errorf("%d of %d processes are traced", stats.Processes, len(executables))
		}
		return err
	}); err != nil {
		return nil, errors.Join(err, tracer.Shutdown(ctx))
	}
	return tracer, nil
}
