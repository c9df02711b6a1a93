package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/bench/server/program"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
)

// requestPath is what every request asks for.
const requestPath = "/hello/gopher"

// order is a load of one kind.
type order = program.Order

// callKinds are the kinds of orders.
var callKinds = map[report.Mode]string{
	report.HTTPClient: "http", report.UnaryClient: "unary", report.StreamClient: "stream",
	report.UnaryServer: "unary", report.StreamServer: "stream",
}

// send has the subject get, make or serve a load.
func (s *stage) send(mode report.Mode, o order) (report.Measurement, error) {
	if s.caller != nil {
		o.Kind = callKinds[mode]
		return s.call(o)
	}
	l := load.Options{URL: s.url, Rate: o.Rate, Duration: o.Duration, Requests: o.Calls}
	l.Connections = s.connections
	if mode == report.HTTP2 {
		l.HTTP2, l.Streams = true, report.Streams
		l.Connections = report.HTTP2Connections(s.connections)
	}
	m, err := request(s.ctx, l)
	if err != nil {
		err = s.measured.Explain(err)
	}
	return m, err
}

// request sends requests, each of which must be answered.
func request(ctx context.Context, o load.Options) (m report.Measurement, err error) {
	r, err := load.Run(ctx, o)
	if err != nil || ctx.Err() != nil {
		return m, errors.Join(err, ctx.Err())
	}
	if r.Answered != r.Sent || r.Statuses[200] != r.Answered || r.Answered == 0 {
		return m, fmt.Errorf("of %d requests %d were answered, by status %v: %w",
			r.Sent, r.Answered, r.Statuses, r.FirstError)
	}
	return report.Measurement{
		Due: r.Due, Sent: r.Sent, Answered: r.Answered, Elapsed: r.Elapsed,
		P50: r.Latency.Quantile(0.5), P99: r.Latency.Quantile(0.99), LagP99: r.Lag.Quantile(0.99),
	}, nil
}

// call has the caller make calls, each of which must be answered.
func (s *stage) call(o order) (m report.Measurement, err error) {
	line, err := json.Marshal(o)
	if err != nil {
		return m, err
	}
	answer, err := s.caller.Ask(string(line), o.Duration+answerDeadline)
	if err != nil {
		return m, err
	}
	var r struct {
		report.Measurement
		Error string
	}
	if err := json.Unmarshal([]byte(answer), &r); err != nil {
		return m, s.caller.Explain(fmt.Errorf("its answer %q: %w", answer, err))
	}
	if r.Answered != r.Sent || r.Answered == 0 {
		err = fmt.Errorf("of %d calls %d were answered: %s", r.Sent, r.Answered, r.Error)
		return m, s.measured.Explain(err)
	}
	return r.Measurement, nil
}
