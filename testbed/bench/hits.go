package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
// request. The kernel counts only while it is asked to (BPF_ENABLE_STATS, since
// 5.8), and each run then costs more.
func countHits(ctx context.Context, b binaries, rate float64, connections int) (probes []report.Probe, err error) {
	probes, err = plannedProbes(ctx, b)
	if err != nil {
		return nil, err
	}
	s, err := startStage(ctx, b, report.Probed, connections)
	defer func() { err = errors.Join(err, s.stop()) }()
	if err != nil {
		return nil, err
	}
	counting, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		return nil, fmt.Errorf("count the runs of BPF programs: %w", err)
	}
	defer counting.Close()
	before, err := bpfObjects(s.collector.pid())
	if err != nil {
		return nil, err
	}
	m, err := s.measure(ctx, load.Options{Connections: connections, Rate: rate, Duration: hitsDuration})
	if err != nil {
		return nil, err
	}
	after, err := bpfObjects(s.collector.pid())
	if err != nil {
		return nil, err
	}
	for _, object := range after {
		if !object.program {
			continue
		}
		name, err := programName(object.id)
		if err != nil {
			return nil, err
		}
		hits, took := object.hits, object.time
		if i := slices.IndexFunc(before, func(o bpfObject) bool { return o.program && o.id == object.id }); i >= 0 {
			hits, took = hits-before[i].hits, took-before[i].time
		}
		i := slices.IndexFunc(probes, func(p report.Probe) bool { return kernelName(p.Program) == kernelName(name) })
		if i < 0 {
			probes = append(probes, report.Probe{Program: name})
			i = len(probes) - 1
		}
		probes[i].Hits += float64(hits) / float64(m.Answered)
		if hits > 0 {
			probes[i].Time = took / time.Duration(hits)
		}
	}
	return probes, nil
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
			Sites   []struct{ Symbol, Program, Class string }
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
				probes = append(probes, report.Probe{Program: site.Program, Class: site.Class})
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

func programName(id uint32) (string, error) {
	program, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
	if err != nil {
		return "", fmt.Errorf("BPF program %d: %w", id, err)
	}
	defer program.Close()
	info, err := program.Info()
	if err != nil {
		return "", fmt.Errorf("BPF program %d: %w", id, err)
	}
	return strings.TrimSpace(info.Name), nil
}

// kernelName is what the kernel keeps of a program's name: BPF_OBJ_NAME_LEN is 16.
func kernelName(name string) string { return name[:min(len(name), 15)] }
