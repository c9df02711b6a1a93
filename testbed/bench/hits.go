package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"time"

	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/testbed/bench/report"
)

// countHits counts how often each BPF program of the collector runs for a request of each
// protocol, and for each kind of call.
func (b *bench) countHits() error {
	b.say("counting the hits of probes")
	for _, setups := range [][]setup{
		{{subject: server, key: report.Probed}, {subject: server, key: report.Probed, tls: true}},
		{{subject: clients, key: report.Probed}, {subject: servers, key: report.Probed}},
	} {
		probes, err := b.plannedProbes(setups[0].bare)
		if err != nil {
			return err
		}
		hits := &report.Hits{Each: setups[0].load, Probes: probes}
		b.run.Hits = append(b.run.Hits, hits)
		for _, with := range setups {
			err := b.onStage(with, func(s *stage) error { return b.countHitsOn(s, hits) })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// countHitsOn adds what the loads of one stage come to.
func (b *bench) countHitsOn(s *stage, hits *report.Hits) error {
	names := map[report.Mode]string{report.Fixed: "HTTP/1.1", report.HTTP2: "HTTP/2 without TLS"}
	if s.tls {
		names[report.HTTP2] = "HTTP/2 over TLS"
	}
	for _, kind := range s.kindsOfLoads() {
		m, ran, err := s.measureRuns(s.collector.PID, kind, b.rates[kind])
		if err != nil {
			return err
		}
		addHits(hits, cmp.Or(names[kind], string(kind)), ran, m.Answered)
	}
	return nil
}

// addHits puts the runs of programs beside the probes. Programs for other binaries that are loaded
// and did not run are left out.
func addHits(hits *report.Hits, protocol string, ran map[programID]runs, requests int) {
	column := len(hits.Protocols)
	hits.Protocols = append(hits.Protocols, protocol)
	for _, id := range slices.SortedFunc(maps.Keys(ran), programID.compare) {
		same := func(p report.Probe) bool { return idOf(p) == id }
		if slices.ContainsFunc(hits.Probes, same) || ran[id].uprobe && ran[id].n == 0 {
			continue
		}
		p := report.Probe{Library: id.library, Program: id.name}
		p.Counts = make([]report.Count, column)
		if ran[id].uprobe {
			p.Class = "not planned"
		}
		hits.Probes = append(hits.Probes, p)
	}
	for i := range hits.Probes {
		p := &hits.Probes[i]
		count := report.Count{}
		if r := ran[idOf(*p)]; r.n > 0 {
			count.Hits = float64(r.n) / float64(requests)
			count.Time = r.time / time.Duration(r.n)
		}
		p.Counts = append(p.Counts, count)
	}
}

// plannedProbes asks `spanprobe inspect` which programs go where in a binary of the run.
func (b *bench) plannedProbes(name string) ([]report.Probe, error) {
	inspector, binary := b.binaries.path("spanprobe"), b.binaries.path(name)
	output, err := exec.CommandContext(b.ctx, inspector, "inspect", "--json", binary).Output()
	if err != nil {
		return nil, fmt.Errorf("spanprobe inspect: %w", err)
	}
	return parsePlan(output)
}

func parsePlan(inspection []byte) ([]report.Probe, error) {
	var planned plan.Plan
	if err := json.Unmarshal(inspection, &planned); err != nil {
		return nil, fmt.Errorf("spanprobe inspect: %w", err)
	}
	var probes []report.Probe
	for _, library := range planned.Libraries {
		if library.LeftOut != "" {
			continue
		}
		for _, site := range library.Sites {
			i := slices.IndexFunc(probes, func(p report.Probe) bool {
				return p.Library == library.Library && p.Program == site.Program
			})
			if i < 0 {
				i = len(probes)
				probes = append(probes, report.Probe{
					Library: library.Library, Program: site.Program,
					Class: string(site.Class), OnDemand: site.OnDemand,
				})
			}
			p := &probes[i]
			p.Sites++
			if !slices.Contains(p.Symbols, site.Symbol) {
				p.Symbols = append(p.Symbols, site.Symbol)
			}
			if p.Class != string(site.Class) {
				p.Class = "of several classes"
			}
		}
	}
	return probes, nil
}
