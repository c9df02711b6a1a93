package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/harness/collector"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
	"github.com/spanprobe/spanprobe/testbed/harness/loopback"
	"github.com/spanprobe/spanprobe/testbed/harness/process"
)

const (
	// answerDeadline is how long a process may take to say a line.
	answerDeadline = 10 * time.Second
	// startDeadline is how long a collector may take to start, and then to trace a process.
	startDeadline = 30 * time.Second
	// surplusWait is how long to wait for more spans than there should be.
	surplusWait = 300 * time.Millisecond
	warmUp      = time.Second
	pollPause   = 50 * time.Millisecond
)

// setup says what a stage is made for.
type setup struct {
	subject
	key    string   // of the case
	copies []string // executables, of the bare server, that are traced as it is; nil for none
}

// stage is all that runs to measure one case.
type stage struct {
	ctx context.Context // of the run
	setup
	binaries
	connections int

	processes []*process.Process // in the order in which they started
	sink      *process.Process   // nil if nothing is traced, like collector
	collector *collector.Collector
	measured  *process.Process // the subject
	caller    *process.Process // makes the calls; nil for a server that gets requests
	url       string           // of such a server
	launched  int              // short-lived processes

	service string        // of the subject's spans
	quiet   time.Duration // once no span has come for so long, none will
}

// onStage starts a stage for somebody to use.
func (b *bench) onStage(with setup, use func(*stage) error) (err error) {
	s, err := startStage(b.ctx, b.binaries, b.connections, with)
	defer func() { err = errors.Join(err, s.stop()) }()
	if err != nil {
		return err
	}
	return use(s)
}

// startStage starts the processes of a case, and warms them up. The stage must be stopped, with
// an error, too.
func startStage(ctx context.Context, b binaries, connections int, with setup) (*stage, error) {
	s := &stage{ctx: ctx, setup: with, binaries: b, connections: connections}
	command, err := s.prepare()
	if err == nil {
		err = s.arrange(s, command)
	}
	if err == nil && s.sink != nil && s.key != report.ByHand {
		err = s.awaitProcesses(1)
	}
	if err == nil {
		err = s.warm()
	}
	return s, err
}

// prepare starts what receives the spans of the case, and returns the command that is to be
// measured: the bare program, or the one that is instrumented by hand, whose names are those of
// their services.
func (s *stage) prepare() (program *exec.Cmd, err error) {
	s.service, s.quiet = s.bare, 2*time.Second
	program = exec.Command(s.path(s.bare))
	ports, err := loopback.FreePorts(2)
	if err != nil {
		return nil, err
	}
	switch s.key {
	case report.ByHand:
		// The SDK's batch processor waits for up to 5 s (OTEL_BSP_SCHEDULE_DELAY).
		s.service, s.quiet = s.byHand, 7*time.Second
		address := loopback.Address(ports[1])
		program = exec.Command(s.path(s.byHand), "-otlp", address)
		err = s.startPipeline("otlp", otlp(address), ports[0])
	case report.Probed:
		globs := []string{collector.Literal(program.Path)}
		if s.copies != nil {
			globs = append(globs, collector.Literal(filepath.Dir(s.copies[0]))+"/*")
		}
		err = s.startPipeline("spanprobe", collector.Targets(globs...), ports[0])
	case report.Bystander:
		traced, _, launchErr := s.launch("traced server", exec.Command(program.Path))
		if launchErr != nil {
			return nil, launchErr
		}
		targets := collector.Settings{"targets": []collector.Settings{{"pid": traced.PID}}}
		err = s.startPipeline("spanprobe", targets, ports[0])
	}
	return program, err
}

// otlp are the settings of a receiver of OTLP.
func otlp(address string) collector.Settings {
	grpc := collector.Settings{"endpoint": address}
	return collector.Settings{"protocols": collector.Settings{"grpc": grpc}}
}

// startPipeline starts a sink, and a collector that sends there what its receiver gets.
func (s *stage) startPipeline(receiver string, settings any, metricsPort int) (err error) {
	var address string
	s.sink, address, err = s.launch("sink", exec.Command("/proc/self/exe", sinkCommand))
	if err != nil {
		return err
	}
	config := pipeline(receiver, settings, address, metricsPort)
	s.collector, err = collector.Start(s.dir, s.otelcol, config, process.Options{})
	if err != nil {
		return err
	}
	s.processes = append(s.processes, s.collector.Process)
	return s.collector.AwaitReady(s.ctx, startDeadline)
}

// pipeline differs in nothing but the receiver.
func pipeline(receiver string, settings any, sink string, metricsPort int) collector.Config {
	return collector.Config{
		Receiver: receiver, Settings: settings,
		Endpoint: sink, Compression: "none", MetricsPort: metricsPort,
	}
}

// launch starts a program, and returns the line that it says when it is ready, such as the
// address of a server.
func (s *stage) launch(name string, command *exec.Cmd) (*process.Process, string, error) {
	p, err := s.begin(name, command)
	if err != nil {
		return nil, "", err
	}
	said, err := p.Line(answerDeadline)
	return p, said, err
}

// begin starts a program that ends with the stage.
func (s *stage) begin(name string, command *exec.Cmd) (*process.Process, error) {
	p, err := s.start(name, command)
	if err == nil {
		s.processes = append(s.processes, p)
	}
	return p, err
}

// start starts a program that says a line when it is ready.
func (b binaries) start(name string, command *exec.Cmd) (*process.Process, error) {
	o := process.Options{Name: name, Log: b.path(name + ".log"), Lines: true}
	return process.Start(command, o)
}

// stop ends all processes, those that feed others first.
func (s *stage) stop() (err error) {
	for _, p := range slices.Backward(s.processes) {
		err = errors.Join(err, p.StopRunning())
	}
	return err
}

// warm sends each kind of load for a moment.
func (s *stage) warm() error {
	before, err := s.spans()
	if err != nil {
		return err
	}
	sent := 0
	for _, kind := range s.kinds {
		m, err := s.send(kind, load.Options{Duration: warmUp})
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		sent += m.Sent
	}
	if err := s.settle(before.all() + s.spansOf(sent)); err != nil {
		return err
	}
	after, err := s.spans()
	if err == nil && s.sink != nil && (after.subject > 0) != (s.spansOf(sent) > 0) {
		err = s.collector.Explain(fmt.Errorf("%d spans of %d requests to the service %q arrived",
			after.subject, sent, s.service))
	}
	return err
}

// spansOf is how many spans requests to the subject have.
func (s *stage) spansOf(requests int) int {
	if s.key == report.Bystander {
		return 0
	}
	return requests
}

// settle waits until so many spans have arrived in all, and for a moment more; or until no more
// come.
func (s *stage) settle(want int) error {
	last, quietSince := -1, time.Now()
	for s.sink != nil && s.ctx.Err() == nil {
		spans, err := s.spans()
		if err != nil {
			return err
		}
		if spans.all() != last {
			last, quietSince = spans.all(), time.Now()
		}
		silence := time.Since(quietSince)
		if silence >= s.quiet || last >= want && silence >= surplusWait {
			break
		}
		select {
		case <-s.ctx.Done():
		case <-time.After(pollPause):
		}
	}
	return s.ctx.Err()
}
