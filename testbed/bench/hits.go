package main

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
	"github.com/spanprobe/spanprobe/testbed/harness/resources"
)

// countHits counts how often each BPF program of the collector runs for a request of each
// protocol, and for each kind of call.
func (b *bench) countHits() error {
	b.say("counting the hits of probes")
	for _, of := range [][]subject{{server}, {clients, servers}} {
		hits := &report.Hits{Each: of[0].load}
		b.run.Hits = append(b.run.Hits, hits)
		for _, what := range of {
			err := b.onStage(setup{subject: what, key: report.Probed}, func(s *stage) error {
				for _, kind := range s.kinds {
					m, ran, err := s.measureRuns(s.collector.PID, kind, b.rates[kind])
					if err != nil {
						return err
					}
					title := strings.Replace(string(kind), string(report.Fixed), "HTTP/1.1", 1)
					addHits(hits, title, ran, m.Answered)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// addHits adds a column for the runs of programs. Programs that never ran have no row.
func addHits(hits *report.Hits, title string, ran map[programID]runs, requests int) {
	column := len(hits.Titles)
	hits.Titles = append(hits.Titles, title)
	for id, r := range ran {
		i := slices.IndexFunc(hits.Probes, func(p report.Probe) bool {
			return p.Library == id.library && p.Program == id.name
		})
		if i < 0 && r.n > 0 {
			i = len(hits.Probes)
			hits.Probes = append(hits.Probes, report.Probe{
				Library: id.library, Program: id.name, Counts: make([]report.Count, column),
			})
		}
		if r.n > 0 {
			hits.Probes[i].Counts = append(hits.Probes[i].Counts, report.Count{
				Hits: float64(r.n) / float64(requests), Time: r.time / time.Duration(r.n),
			})
		}
	}
	for i := range hits.Probes {
		if len(hits.Probes[i].Counts) == column {
			hits.Probes[i].Counts = append(hits.Probes[i].Counts, report.Count{})
		}
	}
	slices.SortFunc(hits.Probes, func(x, y report.Probe) int {
		return cmp.Or(cmp.Compare(x.Library, y.Library), cmp.Compare(x.Program, y.Program))
	})
}

// programID is what a BPF program is known by.
type programID struct {
	library string // "" for those that watch processes
	name    string // what the kernel keeps of it
}

// kernelName is what the kernel keeps of a program's name: BPF_OBJ_NAME_LEN is 16.
func kernelName(name string) string { return name[:min(len(name), 15)] }

// runs are how often a program ran, and for how long in all.
type runs struct {
	n    uint64
	time time.Duration
}

// runsDuration is how long runs are counted.
const runsDuration = 2 * time.Second

// measureRuns is measure, for a moment, and finds the runs of the programs that a process has
// open. The kernel counts only while it is asked to (BPF_ENABLE_STATS, since 5.8), and each run
// then costs more.
func (s *stage) measureRuns(
	pid int, mode report.Mode, rate float64,
) (m report.Measurement, ran map[programID]runs, err error) {
	counting, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		return m, nil, fmt.Errorf("count the runs of BPF programs: %w", err)
	}
	defer counting.Close()
	before, err := programRuns(pid)
	if err != nil {
		return m, nil, err
	}
	if m, err = s.measure(mode, load.Options{Rate: rate, Duration: runsDuration}); err != nil {
		return m, nil, err
	}
	ran, err = programRuns(pid)
	for id, r := range ran {
		ran[id] = runs{r.n - before[id].n, r.time - before[id].time}
	}
	return m, ran, err
}

// programRuns finds the runs up to now. Libraries may have programs of one name: which library
// a program is of is told by the names of all that share its map of offsets.
func programRuns(pid int) (map[programID]runs, error) {
	libraries, err := librariesByPrograms()
	if err != nil {
		return nil, err
	}
	objects, err := resources.Objects(pid)
	if err != nil {
		return nil, err
	}
	byMap := map[ebpf.MapID]map[string]runs{}
	for object := range objects {
		if !object.Program {
			continue
		}
		name, offsets, r, err := describeProgram(ebpf.ProgramID(object.ID))
		if err != nil {
			return nil, fmt.Errorf("BPF program %d: %w", object.ID, err)
		}
		if byMap[offsets] == nil {
			byMap[offsets] = map[string]runs{}
		}
		byMap[offsets][kernelName(name)] = r
	}
	all := map[programID]runs{}
	for offsets, programs := range byMap {
		library, known := libraries[joined(maps.Keys(programs))]
		if offsets != 0 && !known {
			return nil, fmt.Errorf("the collector has programs of no known library, %s: "+
				"`make build` makes the collector anew", joined(maps.Keys(programs)))
		}
		for name, r := range programs {
			all[programID{library, name}] = r
		}
	}
	return all, nil
}

// librariesByPrograms finds a library by the names of all of its programs.
func librariesByPrograms() (map[string]string, error) {
	libraries := map[string]string{}
	for _, library := range all.Libraries() {
		spec, err := library.Load()
		if err != nil {
			return nil, fmt.Errorf("the programs of %s: %w", library.Name, err)
		}
		libraries[joined(maps.Keys(spec.Programs))] = string(library.Name)
	}
	return libraries, nil
}

// joined are the names of programs, as the kernel keeps them, in one text.
func joined(programs iter.Seq[string]) string {
	var names []string
	for name := range programs {
		names = append(names, kernelName(name))
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// describeProgram asks the kernel for a program's name, for its runs up to now, and for the map of
// offsets that it uses, 0 if there is none: the programs of a library share one, and no others do.
func describeProgram(id ebpf.ProgramID) (name string, offsets ebpf.MapID, r runs, err error) {
	program, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return "", 0, r, err
	}
	defer program.Close()
	info, err := program.Info()
	stats, statsErr := program.Stats()
	if err := errors.Join(err, statsErr); err != nil {
		return "", 0, r, err
	}
	r = runs{stats.RunCount, stats.Runtime}
	ids, _ := info.MapIDs()
	for _, id := range ids {
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			return "", 0, r, err
		}
		described, err := m.Info()
		m.Close()
		if err != nil {
			return "", 0, r, err
		}
		if described.Name == "offsets" {
			offsets = id
		}
	}
	return info.Name, offsets, r, nil
}
