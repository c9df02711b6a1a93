package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/internal/load"
)

// hitsDuration is how long hits are counted.
const hitsDuration = 2 * time.Second

// countHits counts how often each BPF program of the collector runs for a
// request of each protocol. The kernel counts only while it is asked to
// (BPF_ENABLE_STATS, since 5.8), and each run then costs more.
func countHits(ctx context.Context, b binaries, settings *report.Settings) (*report.Hits, error) {
	probes, err := plannedProbes(ctx, b)
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
	counting, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		return fmt.Errorf("count the runs of BPF programs: %w", err)
	}
	defer counting.Close()
	for _, l := range loads {
		before, err := programRuns(s.collector.pid())
		if err != nil {
			return err
		}
		m, err := s.measure(ctx, l.Options)
		if err != nil {
			return fmt.Errorf("%s: %w", l.protocol, err)
		}
		after, err := programRuns(s.collector.pid())
		if err != nil {
			return err
		}
		for name := range after {
			after[name] = after[name].minus(before[name])
		}
		addHits(hits, l.protocol, after, m.Answered)
	}
	return nil
}

// runs are how often a program ran, and for how long in all.
type runs struct {
	n      uint64
	time   time.Duration
	uprobe bool // else it is on a tracepoint
}

func (r runs) minus(other runs) runs { return runs{r.n - other.n, r.time - other.time, r.uprobe} }

// programRuns finds the runs of the programs that a process has open, by what
// the kernel keeps of their names: those of several of one name are summed up.
func programRuns(pid int) (map[string]runs, error) {
	objects, err := bpfObjects(pid)
	if err != nil {
		return nil, err
	}
	byName := map[string]runs{}
	for _, object := range objects {
		if !object.program {
			continue
		}
		name, kind, err := describeProgram(object.id)
		if err != nil {
			return nil, err
		}
		sum := byName[kernelName(name)]
		byName[kernelName(name)] = runs{sum.n + object.hits, sum.time + object.time, kind == ebpf.Kprobe}
	}
	return byName, nil
}

// addHits puts the runs of programs beside the probes. What is loaded for other
// binaries, and did not run, is left out.
func addHits(hits *report.Hits, protocol string, ran map[string]runs, requests int) {
	column := len(hits.Protocols)
	hits.Protocols = append(hits.Protocols, protocol)
	for _, name := range slices.Sorted(maps.Keys(ran)) {
		known := slices.ContainsFunc(hits.Probes, func(p report.Probe) bool { return kernelName(p.Program) == name })
		if known || ran[name].uprobe && ran[name].n == 0 {
			continue
		}
		p := report.Probe{Program: name, Counts: make([]report.Count, column)}
		if ran[name].uprobe {
			p.Class = "not planned"
		}
		hits.Probes = append(hits.Probes, p)
	}
	for i := range hits.Probes {
		p := &hits.Probes[i]
		count := report.Count{}
		if r := ran[kernelName(p.Program)]; r.n > 0 {
			count = report.Count{Hits: float64(r.n) / float64(requests), Time: r.time / time.Duration(r.n)}
		}
		p.Counts = append(p.Counts, count)
	}
}

// plannedProbes asks `spanprobe inspect` which programs go where in the bare server.
func plannedProbes(ctx context.Context, b binaries) ([]report.Probe, error) {
	output, err := exec.CommandContext(ctx, b.inspector, "inspect", "--json", b.bare).Output()
	if err != nil {
		return nil, fmt.Errorf("spanprobe inspect: %w", err)
	}
	return parsePlan(output)
}

func parsePlan(inspection []byte) ([]report.Probe, error) {
	var plan struct {
		Libraries []struct {
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
			i := slices.IndexFunc(probes, func(p report.Probe) bool { return p.Program == site.Program })
			if i < 0 {
				probes = append(probes, report.Probe{Program: site.Program, Class: site.Class, OnDemand: site.OnDemand})
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

// describeProgram asks the kernel for a program's name and type; uprobes are of
// the type of kprobes.
func describeProgram(id uint32) (name string, kind ebpf.ProgramType, err error) {
	program, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
	if err != nil {
		return "", 0, fmt.Errorf("BPF program %d: %w", id, err)
	}
	defer program.Close()
	info, err := program.Info()
	if err != nil {
		return "", 0, fmt.Errorf("BPF program %d: %w", id, err)
	}
	return strings.TrimSpace(info.Name), info.Type, nil
}

// kernelName is what the kernel keeps of a program's name: BPF_OBJ_NAME_LEN is 16.
func kernelName(name string) string { return name[:min(len(name), 15)] }
