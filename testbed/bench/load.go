package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/bench/server/program"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
	"github.com/spanprobe/spanprobe/testbed/harness/process"
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
