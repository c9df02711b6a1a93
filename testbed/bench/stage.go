package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/internal/load"
)

const (
	// tracingDeadline is how long it may take until a first span arrives.
	tracingDeadline = 30 * time.Second
	// surplusWait is how long to wait for more spans than there should be.
	surplusWait = 300 * time.Millisecond
	warmUp      = time.Second
	pollPause   = 50 * time.Millisecond
)

// stage is all that runs to measure one case.
type stage struct {
	dir       string
	service   string        // of the spans
	complete  bool          // every request has a span, from the first one on
	quiet     time.Duration // once no span has come for so long, none will
	sink      *sinkProcess  // nil if nothing is traced, like collector
	collector *collector
	server    *process
	url       string
}

// startStage starts the processes of a case, and warms them up. What it returns
// must be stopped, with an error, too.
func startStage(ctx context.Context, b binaries, key string, connections int) (s *stage, err error) {
	s = &stage{}
	if s.dir, err = os.MkdirTemp("", "spanprobe-bench-"); err != nil {
		return s, err
	}
	command := exec.Command(b.bare)
	switch key {
	case report.ByHand:
		// The SDK's batch processor waits for up to 5 s (OTEL_BSP_SCHEDULE_DELAY).
		s.service, s.complete, s.quiet = "byhand", true, 7*time.Second
		if err := s.startPipeline(ctx, b, "otlp"); err != nil {
			return s, err
		}
		command = exec.Command(b.byHand, "-otlp", s.collector.otlp)
	case report.Probed:
		s.service, s.quiet = "bare", 2*time.Second
		if err := s.startPipeline(ctx, b, "spanprobe"); err != nil {
			return s, err
		}
	}
	if s.server, err = launch(s.dir, "server", command); err != nil {
		return s, err
	}
	address, err := s.server.ask("")
	if err != nil {
		return s, err
	}
	s.url = "http://" + address + "/hello/gopher"
	if err := s.awaitTracing(ctx); err != nil {
		return s, err
	}
	_, err = s.measure(ctx, load.Options{Connections: connections, Duration: warmUp})
	return s, err
}

func (s *stage) startPipeline(ctx context.Context, b binaries, receiver string) (err error) {
	if s.sink, err = startSink(s.dir); err != nil {
		return err
	}
	s.collector, err = startCollector(ctx, s.dir, b.collector, receiver, b.bare, s.sink.address)
	return err
}

// stop ends all processes, those that feed others first.
func (s *stage) stop() error {
	errs := []error{s.server.stop()}
	if s.collector != nil {
		errs = append(errs, s.collector.stop())
	}
	if s.sink != nil {
		errs = append(errs, s.sink.stop())
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// awaitTracing sends requests until one has a span, and waits for the last span.
func (s *stage) awaitTracing(ctx context.Context) error {
	if s.sink == nil {
		return nil
	}
	deadline := time.Now().Add(tracingDeadline)
	for sent := 1; ; sent++ {
		if _, err := load.Run(ctx, load.Options{URL: s.url, Connections: 1, Requests: 1}); err != nil {
			return err
		}
		count, err := s.sink.count(s.service)
		if err != nil {
			return err
		}
		if count > 0 {
			want := unknown
			if s.complete {
				want = sent
			}
			_, err := s.settle(ctx, want)
			return err
		}
		if time.Now().After(deadline) {
			return s.collector.explain(fmt.Errorf("no span of the service %q arrived within %v", s.service, tracingDeadline))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * pollPause):
		}
	}
}

// unknown is a number of spans that is not known beforehand.
const unknown = math.MaxInt

// settle waits until so many spans have arrived in all, and for a moment more;
// or until no more come. It returns how many have.
func (s *stage) settle(ctx context.Context, want int) (int, error) {
	if s.sink == nil {
		return 0, ctx.Err()
	}
	last, quietSince := -1, time.Now()
	for {
		count, err := s.sink.count(s.service)
		if err != nil {
			return 0, err
		}
		if count != last {
			last, quietSince = count, time.Now()
		}
		silence := time.Since(quietSince)
		if silence >= s.quiet || count >= want && silence >= surplusWait {
			return count, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(pollPause):
		}
	}
}

// measure sends a load, and says what it took.
func (s *stage) measure(ctx context.Context, o load.Options) (m report.Measurement, err error) {
	o.URL = s.url
	before, err := s.look(ctx)
	if err != nil {
		return m, err
	}
	result, err := load.Run(ctx, o)
	if err != nil {
		return m, err
	}
	if err := ctx.Err(); err != nil {
		return m, err
	}
	if result.Answered != result.Sent || result.Statuses[200] != result.Answered || result.Answered == 0 {
		return m, s.server.explain(fmt.Errorf("of %d requests %d were answered, by status %v: %w", result.Sent, result.Answered, result.Statuses, result.FirstError))
	}
	spans, err := s.settle(ctx, before.spans+result.Sent)
	if err != nil {
		return m, err
	}
	after, err := s.look(ctx)
	if err != nil {
		return m, err
	}
	m = after.since(before)
	m.Due, m.Sent, m.Answered, m.Elapsed = result.Due, result.Sent, result.Answered, result.Elapsed
	m.P50, m.P99, m.LagP99 = result.Latency.Quantile(0.5), result.Latency.Quantile(0.99), result.Lag.Quantile(0.99)
	m.Spans = spans - before.spans
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
	for _, object := range objects {
		m.BPFMemory += object.memory
	}
	return err
}
