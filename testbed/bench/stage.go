package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
)

const (
	// tracingDeadline is how long it may take until a first span arrives.
	tracingDeadline = 30 * time.Second
	// surplusWait is how long to wait for more spans than there should be.
	surplusWait = 300 * time.Millisecond
	warmUp      = time.Second
	pollPause   = 50 * time.Millisecond
)

// setup says what a stage is made for.
type setup struct {
	key         string // of the case
	connections int
	tls         bool   // the bare server serves TLS, which only loads of HTTP/2 speak
	copies      copies // of the bare server, traced as it is; nil for none
}

// stage is all that runs to measure one case.
type stage struct {
	setup
	dir       string
	service   string        // of the server's spans
	complete  bool          // every request has a span, from the first one on
	quiet     time.Duration // once no span has come for so long, none will
	sink      *sinkProcess  // nil if nothing is traced, like collector
	collector *collector
	server    *process   // what is measured
	beside    []*process // what it calls, or is called by; nobody traces that
	traced    *process   // what is traced in its place; nil: what is traced is the server
	tracedURL string
	url       string
	launched  int // short-lived processes
}

// startStage starts the processes of a case, and warms them up. What it returns
// must be stopped, with an error, too.
func startStage(ctx context.Context, b binaries, with setup) (s *stage, err error) {
	s = &stage{setup: with}
	if s.dir, err = os.MkdirTemp("", "spanprobe-bench-"); err != nil {
		return s, err
	}
	command, err := s.prepare(ctx, b.collector, b.bare, b.byHand)
	if err != nil {
		return s, err
	}
	scheme := "http"
	if s.tls {
		command.Args = append(command.Args, "-tls")
		scheme = "https"
	}
	if s.server, err = launch(s.dir, "server", command); err != nil {
		return s, err
	}
	address, err := s.server.ask("")
	if err != nil {
		return s, err
	}
	s.url = scheme + "://" + address + requestPath
	if err := s.awaitTracing(ctx, func() error {
		_, err := load.Run(ctx, load.Options{URL: cmp.Or(s.tracedURL, s.url), HTTP2: s.tls, Connections: 1, Requests: 1})
		return err
	}); err != nil {
		return s, err
	}
	return s, s.warm(ctx)
}

// prepare starts what receives the spans of the case, and returns the command that
// is to be measured: the bare program, or the one that is instrumented by hand, whose
// names are those of their services.
func (s *stage) prepare(ctx context.Context, collector, bare, byHand string) (*exec.Cmd, error) {
	switch s.key {
	case report.ByHand:
		// The SDK's batch processor waits for up to 5 s (OTEL_BSP_SCHEDULE_DELAY).
		s.service, s.complete, s.quiet = filepath.Base(byHand), true, 7*time.Second
		if err := s.startPipeline(ctx, collector, otlpReceiver); err != nil {
			return nil, err
		}
		return exec.Command(byHand, "-otlp", s.collector.otlp), nil
	case report.Probed:
		s.service, s.quiet = filepath.Base(bare), 2*time.Second
		if err := s.startPipeline(ctx, collector, spanprobeReceiver(append(s.copies.globs(), literal(bare))...)); err != nil {
			return nil, err
		}
	case report.Bystander:
		s.service, s.quiet = filepath.Base(bare), 2*time.Second
		var err error
		if s.traced, err = launch(s.dir, "traced server", exec.Command(bare)); err != nil {
			return nil, err
		}
		address, err := s.traced.ask("")
		if err != nil {
			return nil, err
		}
		s.tracedURL = "http://" + address + requestPath
		if err := s.startPipeline(ctx, collector, spanprobeOf(s.traced.pid())); err != nil {
			return nil, err
		}
	}
	return exec.Command(bare), nil
}

func (s *stage) startPipeline(ctx context.Context, binary string, receiver receiver) (err error) {
	if s.sink, err = startSink(s.dir); err != nil {
		return err
	}
	s.collector, err = startCollector(ctx, s.dir, binary, receiver, s.sink.address)
	return err
}

// stop ends all processes, those that feed others first.
func (s *stage) stop() error {
	errs := []error{s.server.stop()}
	for _, p := range s.others() {
		errs = append(errs, p.stop())
	}
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

// others are the processes that run beside the one that is measured, but for those of the pipeline.
func (s *stage) others() []*process {
	if s.traced == nil {
		return s.beside
	}
	return append(slices.Clip(s.beside), s.traced)
}

// awaitTracing sends requests until one has a span, and waits for the last span.
// It is not needed where every request has one.
func (s *stage) awaitTracing(ctx context.Context, send func() error) error {
	if s.sink == nil || s.complete {
		return nil
	}
	for deadline := time.Now().Add(tracingDeadline); ; {
		if err := send(); err != nil {
			return err
		}
		spans, err := s.spans()
		if err != nil {
			return err
		}
		if spans.server > 0 {
			return s.settle(ctx, unknown)
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

// warm sends each kind of request for a moment.
func (s *stage) warm(ctx context.Context) error {
	before, err := s.spans()
	if err != nil {
		return err
	}
	loads := []load.Options{http2Load(s.connections)}
	if !s.tls {
		loads = append(loads, http1Load(s.connections))
	}
	sent := 0
	for _, o := range loads {
		o.URL, o.Duration = s.url, warmUp
		result, err := s.send(ctx, o)
		if err != nil {
			return err
		}
		sent += result.Sent
	}
	if err := s.settle(ctx, before.all()+s.spansOf(sent)); err != nil {
		return err
	}
	after, err := s.spans()
	if err == nil && s.sink != nil && (after.server > before.server) != (s.spansOf(sent) > 0) {
		err = s.collector.explain(fmt.Errorf("%d spans of %d requests to the service %q arrived", after.server-before.server, sent, s.service))
	}
	return err
}

// spansOf is how many spans requests to the server have.
func (s *stage) spansOf(requests int) int {
	if s.traced != nil {
		return 0
	}
	return requests
}

// send sends a load of which every request must be answered.
func (s *stage) send(ctx context.Context, o load.Options) (*load.Result, error) {
	result, err := load.Run(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if result.Answered != result.Sent || result.Statuses[200] != result.Answered || result.Answered == 0 {
		return nil, fmt.Errorf("of %d requests %d were answered, by status %v: %w", result.Sent, result.Answered, result.Statuses, result.FirstError)
	}
	return result, nil
}

// spanCounts are how many spans have arrived.
type spanCounts struct{ server, copies int }

func (c spanCounts) all() int { return c.server + c.copies }

// spans asks the sink. Spans of another service are an error: they would be of
// something that was not meant to be measured.
func (s *stage) spans() (spans spanCounts, err error) {
	if s.sink == nil {
		return spans, nil
	}
	counts, err := s.sink.counts()
	for service, n := range counts {
		switch {
		case service == s.service:
			spans.server += n
		case slices.Contains(s.copies.services(), service):
			spans.copies += n
		default:
			return spans, fmt.Errorf("%d spans of the service %q arrived, where it was not to be traced", n, service)
		}
	}
	return spans, err
}

// unknown is a number of spans that is not known beforehand.
const unknown = math.MaxInt

// settle waits until so many spans have arrived in all, and for a moment more;
// or until no more come.
func (s *stage) settle(ctx context.Context, want int) error {
	if s.sink == nil {
		return ctx.Err()
	}
	last, quietSince := -1, time.Now()
	for {
		spans, err := s.spans()
		if err != nil {
			return err
		}
		if spans.all() != last {
			last, quietSince = spans.all(), time.Now()
		}
		silence := time.Since(quietSince)
		if silence >= s.quiet || last >= want && silence >= surplusWait {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollPause):
		}
	}
}
