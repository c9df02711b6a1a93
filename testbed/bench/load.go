package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/bench/server/program"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
	"github.com/spanprobe/spanprobe/testbed/harness/process"
	"github.com/spanprobe/spanprobe/testbed/harness/sink"
)

// requestPath is what every request asks for.
const requestPath = "/hello/gopher"

// callKinds are the kinds of calls, as the callers know them.
var callKinds = map[report.Mode]string{
	report.HTTPClient: "http", report.UnaryClient: "unary", report.StreamClient: "stream",
	report.UnaryServer: "unary", report.StreamServer: "stream",
}

// send has the subject get, make or serve a load.
func (s *stage) send(mode report.Mode, o load.Options) (report.Measurement, error) {
	if s.caller != nil {
		return s.call(program.Order{Kind: callKinds[mode], Options: o})
	}
	requests := load.HTTP{URL: s.url, Connections: s.connections}
	if mode == report.HTTP2 {
		requests.Connections = report.HTTP2Connections(s.connections)
		requests.Streams = report.Streams
	}
	r, err := requests.Run(s.ctx, o)
	return judge(s.measured, r, errors.Join(err, s.ctx.Err()))
}

// call has the caller make calls.
func (s *stage) call(o program.Order) (m report.Measurement, err error) {
	line, err := json.Marshal(o)
	if err != nil {
		return m, err
	}
	answer, err := s.caller.Ask(string(line), o.Duration+answerDeadline)
	if err != nil {
		return m, err
	}
	var r load.Result
	if err := json.Unmarshal([]byte(answer), &r); err != nil {
		return m, s.caller.Explain(fmt.Errorf("its answer %q: %w", answer, err))
	}
	return judge(s.measured, r, nil)
}

// judge wants each request to a process to be answered.
func judge(p *process.Process, r load.Result, err error) (report.Measurement, error) {
	if err == nil && (r.Answered != r.Sent || r.Answered == 0) {
		err = fmt.Errorf("of %d requests %d were answered: %s", r.Sent, r.Answered, r.Error)
	}
	if err != nil {
		return report.Measurement{}, p.Explain(err)
	}
	return report.Measurement{
		Due: r.Due, Sent: r.Sent, Answered: r.Answered, Elapsed: r.Elapsed,
		P50: r.P50, P99: r.P99, LagP99: r.LagP99,
	}, nil
}

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
