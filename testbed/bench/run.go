package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
)

// measure is the benchmark from its first check to the end. What it starts and
// writes is gone when it returns, whatever it returns.
func measure(ctx context.Context, o *options, progress io.Writer) (run *report.Run, err error) {
	if os.Geteuid() != 0 && !o.inspect {
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

	fmt.Fprintln(progress, "building the programs")
	b, err := build(ctx, root, dir, o)
	if err != nil {
		return nil, err
	}
	if o.inspect {
		fmt.Fprintln(progress, "inspecting binaries")
		inspected, err := inspectBinaries(ctx, b, root)
		return &report.Run{Inspected: inspected}, err
	}
	run = &report.Run{Settings: report.Settings{
		Date: time.Now(), Rounds: o.rounds, Duration: o.duration,
		Rate: o.rate, HTTP2Rate: o.http2Rate, ArrivalRate: o.arrival,
		Connections: o.connections, HTTP2Connections: http2Load(o.connections).Connections, Streams: streams,
		CallRounds:  min(o.rounds, callRounds),
		ChurnRounds: min(o.rounds, churnRounds), ChurnDuration: churnFactor * o.duration,
		Copies: copiesMade, ChurnInterval: churnInterval, RequestsOfShort: requestsOfShort,
	}}
	if run.Machine, err = describeMachine(b.goVersion); err != nil {
		return nil, err
	}
	if err := findRates(ctx, b, &run.Settings, progress); err != nil {
		return nil, err
	}
	if err := findCallRates(ctx, b, &run.Settings, o.callRate, progress); err != nil {
		return nil, err
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
	if err := measureComeAndGo(ctx, b, run, progress); err != nil {
		return nil, err
	}
	if err := measureCalls(ctx, b, run, progress); err != nil {
		return nil, err
	}
	fmt.Fprintln(progress, "inspecting binaries")
	if run.Inspected, err = inspectBinaries(ctx, b, root); err != nil {
		return nil, err
	}
	if strings.Contains(o.cases, report.Probed) {
		fmt.Fprintln(progress, "counting the hits of probes")
		if run.Hits, err = countHits(ctx, b, &run.Settings); err != nil {
			return nil, err
		}
		if run.CallHits, err = countCallHits(ctx, b, &run.Settings); err != nil {
			return nil, err
		}
		if run.Context, err = measureContext(ctx, b, &run.Settings, progress); err != nil {
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
		{Key: report.Bystander, Title: "not traced, of a traced executable"},
	} {
		if strings.Contains(keys, c.Key) {
			c.Rounds = map[report.Mode][]report.Measurement{}
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// measureCase sends a case each kind of load that it is measured in.
func measureCase(ctx context.Context, b binaries, c *report.Case, settings *report.Settings, progress io.Writer) (err error) {
	s, err := startStage(ctx, b, setup{key: c.Key, connections: settings.Connections})
	defer func() { err = errors.Join(err, s.stop()) }()
	if err != nil {
		return err
	}
	http1, http2 := http1Load(settings.Connections), http2Load(settings.Connections)
	for _, mode := range []struct {
		report.Mode
		load.Options
		rate float64
	}{
		{report.Fixed, http1, settings.Rate},
		{report.HTTP2, http2, settings.HTTP2Rate},
		{report.Saturated, http1, 0},
		{report.Arrival, http1, settings.ArrivalRate},
	} {
		if !report.Measures(c.Key, mode.Mode) {
			continue
		}
		o := mode.Options
		o.Rate, o.Duration = mode.rate, settings.Duration
		m, err := s.measure(ctx, o)
		if err != nil {
			return fmt.Errorf("%s load: %w", mode.Mode, err)
		}
		c.Rounds[mode.Mode] = append(c.Rounds[mode.Mode], m)
		fmt.Fprintf(progress, "  %-9s  %d requests, %d spans\n", mode.Mode, m.Answered, m.Spans)
	}
	return nil
}
