package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/bench/report"
)

const (
	contextRounds = 3
	startsAtOnce  = 100 // goroutines, for each call of the kind "goroutines"
)

// contexts are the ways in which spans find their parents.
var contexts = []struct {
	report.Context
	engine.Config
}{
	{report.Isolated, engine.Config{Isolated: true}},
	{report.Joined, engine.Config{}},
	{report.Ancestry, engine.Config{GoroutineAncestry: true}},
}

// measureContext measures what it takes that spans find their parents: the programs of
// the kernel alone, for calls of which both ends are traced, and the processor time of a
// program that starts goroutines. The engine is in this process, since no receiver can be
// told to look for no parents.
func measureContext(ctx context.Context, b binaries, settings *report.Settings, progress io.Writer) (*report.ContextCost, error) {
	cost := &report.ContextCost{Calls: map[report.Mode]map[report.Context]report.Count{}, Starts: map[report.Context][]time.Duration{}}
	for _, kind := range roles[0].kinds {
		cost.Calls[kind] = map[report.Context]report.Count{}
	}
	for round := range contextRounds {
		fmt.Fprintf(progress, "what it takes to find parents, round %d of %d\n", round+1, contextRounds)
		if err := measureWay(ctx, b, settings, report.Untraced, nil, cost); err != nil {
			return nil, err
		}
		for i := range contexts {
			way := contexts[(round+i)%len(contexts)]
			if err := measureWay(ctx, b, settings, way.Context, &way.Config, cost); err != nil {
				return nil, fmt.Errorf("%s: %w", way.Context, err)
			}
		}
	}
	return cost, nil
}

// measureWay measures one way, or the programs with no tracing if there is no configuration.
func measureWay(ctx context.Context, b binaries, settings *report.Settings, way report.Context, config *engine.Config, cost *report.ContextCost) (err error) {
	c, err := startCalls(ctx, b, report.Bare, roles[0], settings.Connections)
	defer func() { err = errors.Join(err, c.stop()) }()
	if err != nil {
		return err
	}
	if config != nil {
		tracer, startErr := traceHere(ctx, *config, b.bare, b.peer, b.bareCalls)
		if startErr != nil {
			return startErr
		}
		defer func() { err = errors.Join(err, tracer.Shutdown(ctx)) }()
	}
	m, err := c.observe(ctx, func() (report.Measurement, error) {
		return c.order("goroutines", callOrder{Duration: settings.Duration / 2, Goroutines: startsAtOnce})
	})
	if err != nil {
		return err
	}
	cost.Starts[way] = append(cost.Starts[way], m.App/time.Duration(m.Answered*startsAtOnce))
	if config == nil {
		return nil
	}
	for _, kind := range c.kinds {
		if err := c.addContext(ctx, kind, settings.CallRates[kind], cost, way); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

// addContext adds what the programs of this process have taken for calls of a kind: the last
// round counts.
func (c *callStage) addContext(ctx context.Context, kind report.Mode, rate float64, cost *report.ContextCost, way report.Context) error {
	counting, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		return fmt.Errorf("count the runs of BPF programs: %w", err)
	}
	defer counting.Close()
	before, err := programRuns(os.Getpid())
	if err != nil {
		return err
	}
	m, err := c.measure(ctx, kind, rate, hitsDuration)
	if err != nil {
		return err
	}
	after, err := programRuns(os.Getpid())
	if err != nil {
		return err
	}
	var count report.Count
	for id, r := range after {
		ran := r.minus(before[id])
		// They see to it that parents are found, above all.
		if way == report.Isolated && strings.HasPrefix(id.name, "announce_") {
			continue
		}
		count.Hits += float64(ran.n) / float64(m.Answered)
		count.Time += ran.time / time.Duration(m.Answered)
	}
	cost.Calls[kind][way] = count
	return nil
}

// traceHere traces executables from within this process, and waits until a process of
// each is traced. What it emits is thrown away.
func traceHere(ctx context.Context, config engine.Config, executables ...string) (*engine.Engine, error) {
	for _, executable := range executables {
		config.Targets = append(config.Targets, engine.Target{Exe: literal(executable)})
	}
	config.URLQuery, config.RingBufferSize, config.MaxActiveSpans = engine.QueryRedact, 4<<20, 16384
	tracer, err := engine.New(config, engine.Settings{
		Logger: zap.NewNop(), Libraries: all.Libraries(), Version: "bench",
		Consume: func(context.Context, ptrace.Traces) error { return nil },
		Status:  func(error) {},
	})
	if err != nil {
		return nil, err
	}
	if err := tracer.Start(ctx); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(tracingDeadline); ; time.Sleep(pollPause) {
		stats, err := tracer.Stats()
		if err == nil && stats.Processes == len(executables) {
			return tracer, nil
		}
		if err == nil && time.Now().After(deadline) {
			err = fmt.Errorf("%d of %d processes are traced after %v", stats.Processes, len(executables), tracingDeadline)
		}
		if err != nil {
			return nil, errors.Join(err, tracer.Shutdown(ctx))
		}
	}
}
