package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/internal/load"
)

// measure is the benchmark from its first check to the end. What it starts and
// writes is gone when it returns, whatever it returns.
func measure(ctx context.Context, o *options, progress io.Writer) (run *report.Run, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("attaching probes, and counting their hits, needs root")
	}
	root, err := findRoot()
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

	fmt.Fprintln(progress, "building the servers")
	b, err := build(ctx, root, dir, o)
	if err != nil {
		return nil, err
	}
	run = &report.Run{Settings: report.Settings{
		Date: time.Now(), Rounds: o.rounds, Duration: o.duration,
		Rate: o.rate, ArrivalRate: o.arrival, Connections: o.connections,
	}}
	if run.Machine, err = describeMachine(b.goVersion); err != nil {
		return nil, err
	}
	if o.rate == 0 {
		fmt.Fprintln(progress, "looking for a rate that the server instrumented by hand keeps up with")
		if run.Settings.Rate, err = findRate(ctx, b, o); err != nil {
			return nil, err
		}
		run.Settings.RateFound = true
	}
	run.Cases = cases(o.cases)
	for round := range o.rounds {
		for i := range run.Cases {
			// Each round begins with another case, so that none has the best place.
			c := &run.Cases[(round+i)%len(run.Cases)]
			fmt.Fprintf(progress, "round %d of %d: %s\n", round+1, o.rounds, c.Title)
			if err := measureCase(ctx, b, c, &run.Settings, progress); err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", c.Title, round+1, err)
			}
		}
	}
	if strings.Contains(o.cases, report.Probed) {
		fmt.Fprintln(progress, "counting the hits of probes")
		if run.Probes, err = countHits(ctx, b, run.Settings.Rate, o.connections); err != nil {
			return nil, err
		}
	}
	return run, nil
}

// cases are those that keys names, in their own order.
func cases(keys string) []report.Case {
	var chosen []report.Case
	for _, c := range []report.Case{
		{Key: report.Bare, Title: "bare"},
		{Key: report.ByHand, Title: "instrumented by hand", Traced: true},
		{Key: report.Probed, Title: "traced by spanprobe", Traced: true},
	} {
		if strings.Contains(keys, c.Key) {
			c.Rounds = map[report.Mode][]report.Measurement{}
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// measureCase sends a case each kind of load.
func measureCase(ctx context.Context, b binaries, c *report.Case, settings *report.Settings, progress io.Writer) (err error) {
	s, err := startStage(ctx, b, c.Key, settings.Connections)
	defer func() { err = errors.Join(err, s.stop()) }()
	if err != nil {
		return err
	}
	for _, mode := range []struct {
		report.Mode
		rate float64
	}{{report.Fixed, settings.Rate}, {report.Saturated, 0}, {report.Arrival, settings.ArrivalRate}} {
		m, err := s.measure(ctx, load.Options{Connections: settings.Connections, Rate: mode.rate, Duration: settings.Duration})
		if err != nil {
			return fmt.Errorf("%s load: %w", mode.Mode, err)
		}
		c.Rounds[mode.Mode] = append(c.Rounds[mode.Mode], m)
		fmt.Fprintf(progress, "  %-9s  %d requests, %d spans\n", mode.Mode, m.Answered, m.Spans)
	}
	return nil
}

// Bounds of the rate that is looked for, in requests a second.
const (
	minRate = 500
	maxRate = 8000
	// shareOfSaturation is where the search begins.
	shareOfSaturation = 0.6
	// mustHold is the share of a rate that must have been sent.
	mustHold = 0.99
	// trialDuration is how long a rate must be held.
	trialDuration = 3 * time.Second
)

// findRate finds a rate at which the server that is instrumented by hand answers
// every request in time, and all of its spans arrive.
func findRate(ctx context.Context, b binaries, o *options) (rate float64, err error) {
	s, err := startStage(ctx, b, report.ByHand, o.connections)
	defer func() { err = errors.Join(err, s.stop()) }()
	if err != nil {
		return 0, err
	}
	m, err := s.measure(ctx, load.Options{Connections: o.connections, Duration: trialDuration})
	if err != nil {
		return 0, err
	}
	rate = min(shareOfSaturation*float64(m.Answered)/m.Elapsed.Seconds(), maxRate)
	for {
		rate = math.Floor(rate/minRate) * minRate
		if rate < minRate {
			return 0, errors.New("the server instrumented by hand keeps up with no rate: the machine is too busy, or give one with -rate")
		}
		m, err := s.measure(ctx, load.Options{Connections: o.connections, Rate: rate, Duration: trialDuration})
		if err != nil {
			return 0, err
		}
		if float64(m.Sent) >= mustHold*float64(m.Due) && m.Spans == m.Sent {
			return rate, nil
		}
		rate *= 0.8
	}
}
