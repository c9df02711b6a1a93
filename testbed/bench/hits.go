package main

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
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
