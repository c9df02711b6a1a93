package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
)

// hitsDuration is how long hits are counted.
const hitsDuration = 2 * time.Second

// countHits counts how often each BPF program of the collector runs for a
// request of each protocol. The kernel counts only while it is asked to
// (BPF_ENABLE_STATS, since 5.8), and each run then costs more.
func countHits(ctx context.Context, b binaries, settings *report.Settings) (*report.Hits, error) {
	probes, err := plannedProbes(ctx, b.inspector, b.bare)
	if err != nil {
		return nil, err
	}
	hits := &report.Hits{Probes: probes}
	http1, http2 := http1Load(settings.Connections), http2Load(settings.Connections)
	http1.Rate, http2.Rate = settings.Rate, settings.HTTP2Rate
	http1.Duration, http2.Duration = hitsDuration, hitsDuration
	for _, server := range []struct {
		setup
		loads []protocolLoad
	}{
		{setup{key: report.Probed, connections: settings.Connections}, []protocolLoad{{"HTTP/1.1", http1}, {"HTTP/2 without TLS", http2}}},
		{setup{key: report.Probed, connections: settings.Connections, tls: true}, []protocolLoad{{"HTTP/2 over TLS", http2}}},
	} {
		if err := countHitsOf(ctx, b, server.setup, server.loads, hits); err != nil {
			return nil, err
		}
	}
	return hits, nil
}

// protocolLoad is a load, named for its protocol.
type protocolLoad struct {
	protocol string
	load.Options
}

// countHitsOf adds what loads of one server come to.
func countHitsOf(ctx context.Context, b binaries, with setup, loads []protocolLoad, hits *report.Hits) (err error) {
	s, err := startStage(ctx, b, with)
	defer func() { err = errors.Join(err, s.stop()) }()
	if err != nil {
		return err
	}
	for _, l := range loads {
		if err := s.addHits(hits, l.protocol, func() (report.Measurement, error) { return s.measure(ctx, l.Options) }); err != nil {
			return err
		}
	}
	return nil
}

// countCallHits is countHits for calls.
func countCallHits(ctx context.Context, b binaries, settings *report.Settings) (*report.Hits, error) {
	probes, err := plannedProbes(ctx, b.inspector, b.bareCalls)
	if err != nil {
		return nil, err
	}
	hits := &report.Hits{Probes: probes}
	for _, side := range roles {
		if err := side.countHits(ctx, b, settings, hits); err != nil {
			return nil, err
		}
	}
	return hits, nil
}

func (r role) countHits(ctx context.Context, b binaries, settings *report.Settings, hits *report.Hits) (err error) {
	c, err := startCalls(ctx, b, report.Probed, r, settings.Connections)
	defer func() { err = errors.Join(err, c.stop()) }()
	if err != nil {
		return err
	}
	for _, kind := range r.kinds {
		if err := c.addHits(hits, string(kind), func() (report.Measurement, error) {
			return c.measure(ctx, kind, settings.CallRates[kind], hitsDuration)
		}); err != nil {
			return err
		}
	}
	return nil
}

// addHits adds what a load comes to.
func (s *stage) addHits(hits *report.Hits, name string, send func() (report.Measurement, error)) error {
	counting, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		return fmt.Errorf("count the runs of BPF programs: %w", err)
	}
	defer counting.Close()
	before, err := programRuns(s.collector.pid())
	if err != nil {
		return err
	}
	m, err := send()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	after, err := programRuns(s.collector.pid())
	if err != nil {
		return err
	}
	for program := range after {
		after[program] = after[program].minus(before[program])
	}
	addHits(hits, name, after, m.Answered)
	return nil
}

// addHits puts the runs of programs beside the probes. What is loaded for other
// binaries, and did not run, is left out.
func addHits(hits *report.Hits, protocol string, ran map[programID]runs, requests int) {
	column := len(hits.Protocols)
	hits.Protocols = append(hits.Protocols, protocol)
	for _, id := range slices.SortedFunc(maps.Keys(ran), programID.compare) {
		known := slices.ContainsFunc(hits.Probes, func(p report.Probe) bool { return idOf(p) == id })
		if known || ran[id].uprobe && ran[id].n == 0 {
			continue
		}
		p := report.Probe{Library: id.library, Program: id.name, Counts: make([]report.Count, column)}
		if ran[id].uprobe {
			p.Class = "not planned"
		}
		hits.Probes = append(hits.Probes, p)
	}
	for i := range hits.Probes {
		p := &hits.Probes[i]
		count := report.Count{}
		if r := ran[idOf(*p)]; r.n > 0 {
			count = report.Count{Hits: float64(r.n) / float64(requests), Time: r.time / time.Duration(r.n)}
		}
		p.Counts = append(p.Counts, count)
	}
}

// plannedProbes asks `spanprobe inspect` which programs go where in a binary.
func plannedProbes(ctx context.Context, inspector, binary string) ([]report.Probe, error) {
	output, err := exec.CommandContext(ctx, inspector, "inspect", "--json", binary).Output()
	if err != nil {
		return nil, fmt.Errorf("spanprobe inspect: %w", err)
	}
	return parsePlan(output)
}

func parsePlan(inspection []byte) ([]report.Probe, error) {
	var plan struct {
		Libraries []struct {
			Library string
			LeftOut string `json:"left_out"`
			Sites   []struct {
				Symbol, Program, Class string
				OnDemand               bool `json:"on_demand"`
			}
		}
	}
	if err := json.Unmarshal(inspection, &plan); err != nil {
		return nil, fmt.Errorf("spanprobe inspect: %w", err)
	}
	var probes []report.Probe
	for _, library := range plan.Libraries {
		if library.LeftOut != "" {
			continue
		}
		for _, site := range library.Sites {
			i := slices.IndexFunc(probes, func(p report.Probe) bool {
				return p.Library == library.Library && p.Program == site.Program
			})
			if i < 0 {
				probes = append(probes, report.Probe{Library: library.Library, Program: site.Program, Class: site.Class, OnDemand: site.OnDemand})
				i = len(probes) - 1
			}
			p := &probes[i]
			p.Sites++
			if !slices.Contains(p.Symbols, site.Symbol) {
				p.Symbols = append(p.Symbols, site.Symbol)
			}
			if p.Class != site.Class {
				p.Class = "of several classes"
			}
		}
	}
	return probes, nil
}
