package main

import (
	"context"
	"os"
	"runtime"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
)

// snapshot is what has been used up to a moment.
type snapshot struct {
	at             time.Time
	app, collector time.Duration // processor time
	own            time.Duration // of all processes of the benchmark, this one too
	machine        processorUse
	spans          spanCounts
	lost           map[string]int
}

func (s *stage) look(ctx context.Context) (n snapshot, err error) {
	if n.spans, err = s.spans(); err != nil {
		return n, err
	}
	if s.sink != nil {
		if n.lost, err = s.collector.lost(ctx); err != nil {
			return n, err
		}
	}
	n.at = time.Now()
	if n.machine, err = readProcessorUse(); err != nil {
		return n, err
	}
	if n.app, err = cpuTime(s.server.pid()); err != nil {
		return n, err
	}
	self, err := cpuTime(os.Getpid())
	if err != nil {
		return n, err
	}
	ended, err := cpuTimeOfEnded()
	if err != nil {
		return n, err
	}
	n.own = self + ended + n.app
	for _, p := range s.others() {
		used, err := cpuTime(p.pid())
		if err != nil {
			return n, err
		}
		n.own += used
	}
	if s.sink != nil {
		if n.collector, err = cpuTime(s.collector.pid()); err != nil {
			return n, err
		}
		sink, err := cpuTime(s.sink.pid())
		if err != nil {
			return n, err
		}
		n.own += n.collector + sink
	}
	return n, nil
}

// since says what was used from one moment to another.
func (n snapshot) since(before snapshot, m *report.Measurement) {
	m.App = n.app - before.app
	m.Collector = n.collector - before.collector
	m.Spans = n.spans.server - before.spans.server
	m.Short.Spans = n.spans.copies - before.spans.copies
	m.Lost = map[string]int{}
	for reason, count := range n.lost {
		m.Lost[reason] = count - before.lost[reason]
	}
	available := n.at.Sub(before.at) * time.Duration(runtime.NumCPU())
	others := (n.machine.busy - before.machine.busy) - (n.own - before.own)
	m.Others = max(others.Seconds()/available.Seconds(), 0)
	m.Stolen = (n.machine.stolen - before.machine.stolen).Seconds() / available.Seconds()
}
