package main

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/prometheus/procfs"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
	"github.com/spanprobe/spanprobe/testbed/harness/resources"
)

// measure has a load sent, and says what it took.
func (s *stage) measure(mode report.Mode, o load.Options) (report.Measurement, error) {
	m, err := s.observe(func() (report.Measurement, error) { return s.send(mode, o) })
	if err != nil {
		err = fmt.Errorf("%s: %w", mode, err)
	}
	return m, err
}

// observe has a load sent, and adds what it took.
func (s *stage) observe(
	send func() (report.Measurement, error),
) (m report.Measurement, err error) {
	before, err := s.sample()
	if err != nil {
		return m, err
	}
	if m, err = send(); err != nil {
		return m, err
	}
	if err := s.settle(before.spans.all() + s.spansOf(m.Sent) + m.Short.Requests); err != nil {
		return m, err
	}
	after, err := s.sample()
	if err != nil {
		return m, err
	}
	after.since(before, &m)
	if s.collector == nil {
		return m, nil
	}
	if m.CollectorRSS, err = residentMemory(s.collector.PID); err != nil {
		return m, err
	}
	objects, err := resources.Objects(s.collector.PID)
	for _, memory := range objects {
		m.BPFMemory += memory
	}
	return m, err
}

// sample is what has been used up to a moment.
type sample struct {
	at             time.Time
	app, collector time.Duration // processor time
	own            time.Duration // of all processes of the benchmark, this one too
	machine        processorUse
	spans          spanCounts
	lost           map[string]int
}

func (s *stage) sample() (sample, error) {
	spans, err := s.spans()
	lost, lostErr := s.lost()
	at := time.Now()
	machine, machineErr := readProcessorUse(procfs.DefaultMountPoint)
	own, ownErr := ownCPUTime()
	n := sample{at: at, own: own, machine: machine, spans: spans, lost: lost}
	err = errors.Join(err, lostErr, machineErr, ownErr)
	for _, p := range s.processes {
		used, usedErr := cpuTime(p.PID)
		err = errors.Join(err, usedErr)
		n.own += used
		switch {
		case p == s.measured:
			n.app = used
		case s.collector != nil && p == s.collector.Process:
			n.collector = used
		}
	}
	return n, err
}

// since says what was used from one moment to another.
func (n sample) since(before sample, m *report.Measurement) {
	m.App = n.app - before.app
	m.Collector = n.collector - before.collector
	m.Spans = n.spans.subject - before.spans.subject
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
