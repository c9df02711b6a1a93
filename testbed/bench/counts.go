package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spanprobe/spanprobe/testbed/harness/sink"
)

// sinkCommand makes this program a sink: in a process of its own it does not disturb the generator.
const sinkCommand = "sink"

// runSink prints the sink's address, and for each line of input how many spans
// have arrived of each service, until the input ends.
func runSink(in io.Reader, out io.Writer) error {
	s, err := sink.Start(false)
	if err != nil {
		return err
	}
	defer s.Stop()
	fmt.Fprintln(out, s.Address())
	encoder := json.NewEncoder(out)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if err := encoder.Encode(s.Counts()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// spanCounts are how many spans have arrived.
type spanCounts struct{ subject, copies int }

func (c spanCounts) all() int { return c.subject + c.copies }

// spans asks the sink. Spans of another service are an error: they would be of
// something that was not meant to be measured.
func (s *stage) spans() (spans spanCounts, err error) {
	if s.sink == nil {
		return spans, nil
	}
	line, err := s.sink.Ask("count", answerDeadline)
	if err != nil {
		return spans, err
	}
	var counts map[string]int
	if err := json.Unmarshal([]byte(line), &counts); err != nil {
		return spans, fmt.Errorf("the sink's answer %q: %w", line, err)
	}
	for service, n := range counts {
		isOf := func(copied string) bool { return filepath.Base(copied) == service }
		switch {
		case service == s.service:
			spans.subject += n
		case slices.ContainsFunc(s.copies, isOf):
			spans.copies += n
		default:
			return spans, fmt.Errorf("%d spans arrived of %q, which nobody is to trace", n, service)
		}
	}
	return spans, nil
}

// lost is what the spanprobe receiver has counted as lost, by reason.
func (s *stage) lost() (map[string]int, error) {
	if s.collector == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, answerDeadline)
	defer cancel()
	samples, err := s.collector.Metric(ctx, "receiver_spanprobe_spans_lost")
	lost := map[string]int{}
	for _, sample := range samples {
		lost[string(sample.Metric["reason"])] += int(sample.Value)
	}
	return lost, err
}

// tracedProcesses are how many the spanprobe receiver traces.
func (s *stage) tracedProcesses(ctx context.Context) (n int, err error) {
	samples, err := s.collector.Metric(ctx, "receiver_spanprobe_processes")
	for _, sample := range samples {
		n += int(sample.Value)
	}
	return n, err
}
