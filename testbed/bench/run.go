package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

// bench is the benchmark while it runs.
type bench struct {
	ctx context.Context
	*options
	root     string // of the repository
	binaries binaries
	rates    map[report.Mode]float64 // of the loads that have one
	run      *report.Run
	progress io.Writer
}

// say tells who waits how far the benchmark is.
func (b *bench) say(format string, values ...any) {
	fmt.Fprintf(b.progress, format+"\n", values...)
}

// measure is the benchmark from its first check to the end. All that it starts and writes, but the
// run, is gone when it returns, also with an error.
func measure(ctx context.Context, o *options, progress io.Writer) (run *report.Run, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("attaching probes, and counting their hits, needs root")
	}
	root, err := target.Root()
	if err != nil {
		return nil, err
	}
	if o.page == "" {
		o.page = filepath.Join(root, "docs", "benchmarks.md")
	}
	dir, err := os.MkdirTemp("", "spanprobe-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{ctx: ctx, options: o, root: root, run: &report.Run{}, progress: progress}
	b.say("building the programs")
	if b.binaries, err = build(ctx, root, dir); err != nil {
		return nil, err
	}
	for _, step := range []func() error{
		b.describe, b.measureRequests, b.measureComeAndGo, b.measureCalls,
		b.inspectBinaries, b.countHits, b.measureContext,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b.run, nil
}

// describe notes how the run is made, and on what.
func (b *bench) describe() (err error) {
	b.rates = map[report.Mode]float64{
		report.Fixed: b.rate, report.HTTP2: b.rate / 2, report.Arrival: b.arrival,
	}
	for kind := range callKinds {
		b.rates[kind] = b.rate * 3 / 8
	}
	b.run.Settings = report.Settings{
		Date: time.Now(), Rounds: b.rounds, Duration: b.duration, Connections: b.connections,
		Rates: b.rates,
	}
	for _, c := range report.Cases {
		c.Rounds = map[report.Mode][]report.Measurement{}
		b.run.Cases = append(b.run.Cases, c)
	}
	b.run.Machine, err = describeMachine(b.binaries.goVersion)
	return err
}

func (b *bench) measureRequests() error {
	return b.inRounds("requests", b.rounds, report.Fixed, func(c *report.Case) error {
		return b.measureCase(c, server, report.Saturated, report.Arrival)
	})
}

func (b *bench) measureComeAndGo() error {
	rounds := b.run.Settings.FewRounds()
	return b.inRounds("processes that come and go", rounds, report.Churn, b.measureChurn)
}

func (b *bench) measureCalls() error {
	rounds := b.run.Settings.FewRounds()
	return b.inRounds("calls", rounds, report.HTTPClient, func(c *report.Case) error {
		if err := b.measureCase(c, clients); err != nil {
			return err
		}
		return b.measureCase(c, servers)
	})
}

// inRounds measures the cases that are measured in a mode, so often. Each round begins with
// another case, so that none has the best place.
func (b *bench) inRounds(
	what string, rounds int, mode report.Mode, one func(*report.Case) error,
) error {
	for round := range rounds {
		for i := range b.run.Cases {
			c := &b.run.Cases[(round+i)%len(b.run.Cases)]
			if !report.Measures(c.Key, mode) {
				continue
			}
			title := fmt.Sprintf("%s, round %d of %d: %s", what, round+1, rounds, c.Title)
			b.say("%s", title)
			if err := one(c); err != nil {
				return fmt.Errorf("%s: %w", title, err)
			}
		}
	}
	return nil
}

// measureCase has programs get or make each kind of load that the case is measured in.
func (b *bench) measureCase(c *report.Case, what subject, more ...report.Mode) error {
	return b.onStage(setup{subject: what, key: c.Key}, func(s *stage) error {
		for _, mode := range slices.Concat(what.kinds, more) {
			if !report.Measures(c.Key, mode) {
				continue
			}
			m, err := s.measure(mode, load.Options{Rate: b.rates[mode], Duration: b.duration})
			if err != nil {
				return err
			}
			c.Rounds[mode] = append(c.Rounds[mode], m)
			b.say("  %-19s  %d %ss, %d spans", mode, m.Answered, what.load, m.Spans)
		}
		return nil
	})
}
