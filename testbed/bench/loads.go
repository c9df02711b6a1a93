package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
)

const (
	// requestPath is what every request asks for.
	requestPath = "/hello/gopher"
	// streams is how many requests are under way on a connection of HTTP/2.
	streams = 4
)

func http1Load(connections int) load.Options { return load.Options{Connections: connections} }

// http2Load has as many requests under way as http1Load, on fewer connections.
func http2Load(connections int) load.Options {
	return load.Options{HTTP2: true, Connections: max(connections/streams, 1), Streams: streams}
}

// measure sends a load, and says what it took.
func (s *stage) measure(ctx context.Context, o load.Options) (report.Measurement, error) {
	return s.measureBeside(ctx, o, nil)
}

// measureBeside is measure while something else goes on, whose requests get spans
// like those of the load. That ends before the measurement does.
func (s *stage) measureBeside(ctx context.Context, o load.Options, other func(context.Context) (report.ShortLived, error)) (report.Measurement, error) {
	o.URL = s.url
	return s.observe(ctx, func() (m report.Measurement, err error) {
		var shortErr error
		var wg sync.WaitGroup
		if other != nil {
			wg.Go(func() { m.Short, shortErr = other(ctx) })
		}
		result, err := s.send(ctx, o)
		wg.Wait()
		if err != nil {
			return m, s.server.explain(err)
		}
		if shortErr != nil {
			return m, shortErr
		}
		m.Due, m.Sent, m.Answered, m.Elapsed = result.Due, result.Sent, result.Answered, result.Elapsed
		m.P50, m.P99, m.LagP99 = result.Latency.Quantile(0.5), result.Latency.Quantile(0.99), result.Lag.Quantile(0.99)
		return m, nil
	})
}

// observe has a load sent, which says what it was, and adds what it took.
func (s *stage) observe(ctx context.Context, send func() (report.Measurement, error)) (m report.Measurement, err error) {
	before, err := s.look(ctx)
	if err != nil {
		return m, err
	}
	if m, err = send(); err != nil {
		return m, err
	}
	if err := s.settle(ctx, before.spans.all()+s.spansOf(m.Sent)+m.Short.Requests); err != nil {
		return m, err
	}
	after, err := s.look(ctx)
	if err != nil {
		return m, err
	}
	after.since(before, &m)
	return m, s.weigh(&m)
}

// weigh finds out what memory the collector takes.
func (s *stage) weigh(m *report.Measurement) (err error) {
	if s.collector == nil {
		return nil
	}
	if m.CollectorRSS, err = residentMemory(s.collector.pid()); err != nil {
		return err
	}
	objects, err := bpfObjects(s.collector.pid())
	if err != nil {
		return fmt.Errorf("the BPF objects of the collector: %w", err)
	}
	for _, object := range objects {
		m.BPFMemory += object.memory
	}
	return nil
}
