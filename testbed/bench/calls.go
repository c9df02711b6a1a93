package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
)

const (
	// callRounds is how often calls are measured at most.
	callRounds = 3
	// maxCallRate bounds the rates that are looked for, in calls a second.
	maxCallRate = 3000
)

// callOrders are what the programs in server/calls are told, by the kind of call.
var callOrders = map[report.Mode]string{
	report.HTTPClient: "http", report.UnaryClient: "unary", report.StreamClient: "stream",
	report.UnaryServer: "unary", report.StreamServer: "stream",
}

// role is a side of calls that is measured.
type role struct {
	name  string
	calls bool // else it is called
	kinds []report.Mode
}

var roles = []role{
	{"clients", true, []report.Mode{report.HTTPClient, report.UnaryClient, report.StreamClient}},
	{"servers", false, []report.Mode{report.UnaryServer, report.StreamServer}},
}

// callStage is a stage whose loads are calls that one of its processes makes.
type callStage struct {
	*stage
	role
	caller *process // the measured one, or one beside it
}

// startCalls starts the processes of a case and a role, and warms them up. What it
// returns must be stopped, with an error, too.
func startCalls(ctx context.Context, b binaries, key string, side role, connections int) (c *callStage, err error) {
	c = &callStage{stage: &stage{setup: setup{key: key, connections: connections}}, role: side}
	if c.dir, err = os.MkdirTemp("", "spanprobe-bench-"); err != nil {
		return c, err
	}
	command, err := c.prepare(ctx, b.collector, b.bareCalls, b.byHandCalls)
	if err != nil {
		return c, err
	}
	if side.calls {
		err = c.startClient(b, command)
	} else {
		err = c.startServer(b, command)
	}
	if err != nil {
		return c, err
	}
	if _, err := c.caller.ask(""); err != nil { // that it is ready
		return c, err
	}
	first := side.kinds[0]
	if err := c.awaitTracing(ctx, func() error {
		_, err := c.call(first, callOrder{Calls: 1})
		return err
	}); err != nil {
		return c, err
	}
	return c, c.warm(ctx)
}

// warm makes each kind of call for a moment.
func (c *callStage) warm(ctx context.Context) error {
	before, err := c.spans()
	if err != nil {
		return err
	}
	sent := 0
	for _, kind := range c.kinds {
		m, err := c.call(kind, callOrder{Duration: warmUp})
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		sent += m.Sent
	}
	return c.settle(ctx, before.all()+sent)
}

// startClient starts what is called, and the command as what calls it.
func (c *callStage) startClient(b binaries, command *exec.Cmd) error {
	web, err := c.launchBeside("web", exec.Command(b.bare))
	if err != nil {
		return err
	}
	rpc, err := c.launchBeside("peer", exec.Command(b.peer))
	if err != nil {
		return err
	}
	command.Args = append(command.Args, "-http", "http://"+web+requestPath, "-grpc", rpc, "-connections", strconv.Itoa(c.connections))
	c.server, err = launch(c.dir, "client", command)
	c.caller = c.server
	return err
}

// startServer starts the command as what is called, and what calls it.
func (c *callStage) startServer(b binaries, command *exec.Cmd) (err error) {
	if c.server, err = launch(c.dir, "server", command); err != nil {
		return err
	}
	address, err := c.server.ask("")
	if err != nil {
		return err
	}
	c.caller, err = launch(c.dir, "peer", exec.Command(b.peer, "-grpc", address, "-connections", strconv.Itoa(c.connections)))
	if err == nil {
		c.beside = append(c.beside, c.caller)
	}
	return err
}

// launchBeside starts a server that is not measured, and returns its address.
func (c *callStage) launchBeside(name string, command *exec.Cmd) (string, error) {
	p, err := launch(c.dir, name, command)
	if err != nil {
		return "", err
	}
	c.beside = append(c.beside, p)
	return p.ask("")
}

// callOrder is a load; see order in server/calls.
type callOrder struct {
	Kind     string
	Rate     float64
	Duration time.Duration
	Calls    int
	// Goroutines are how many are started for each call of the kind "goroutines".
	Goroutines int
}

// callResult is what came of one.
type callResult struct {
	Due, Sent, Answered       int
	Elapsed, P50, P99, LagP99 time.Duration
	Error                     string
}

// call has the caller make calls, each of which must be answered.
func (c *callStage) call(kind report.Mode, o callOrder) (report.Measurement, error) {
	return c.order(callOrders[kind], o)
}

func (c *callStage) order(kind string, o callOrder) (m report.Measurement, err error) {
	o.Kind = kind
	line, err := json.Marshal(o)
	if err != nil {
		return m, err
	}
	answer, err := c.caller.askWithin(string(line), o.Duration+answerDeadline)
	if err != nil {
		return m, err
	}
	var r callResult
	if err := json.Unmarshal([]byte(answer), &r); err != nil {
		return m, c.caller.explain(fmt.Errorf("its answer %q: %w", answer, err))
	}
	if r.Answered != r.Sent || r.Answered == 0 {
		return m, c.server.explain(fmt.Errorf("of %d calls %d were answered: %s", r.Sent, r.Answered, r.Error))
	}
	m.Due, m.Sent, m.Answered, m.Elapsed = r.Due, r.Sent, r.Answered, r.Elapsed
	m.P50, m.P99, m.LagP99 = r.P50, r.P99, r.LagP99
	return m, nil
}

// measure has calls made, and says what they took.
func (c *callStage) measure(ctx context.Context, kind report.Mode, rate float64, duration time.Duration) (report.Measurement, error) {
	m, err := c.observe(ctx, func() (report.Measurement, error) {
		return c.call(kind, callOrder{Rate: rate, Duration: duration})
	})
	if err != nil {
		err = fmt.Errorf("%s: %w", kind, err)
	}
	return m, err
}

// findCallRates finds the rates of calls, if none was given.
func findCallRates(ctx context.Context, b binaries, settings *report.Settings, rate float64, progress io.Writer) error {
	settings.CallRates, settings.CallRateFound = map[report.Mode]float64{}, rate == 0
	for _, side := range roles {
		for _, kind := range side.kinds {
			settings.CallRates[kind] = rate
		}
		if rate != 0 {
			continue
		}
		fmt.Fprintf(progress, "looking for rates that %s of calls that are instrumented by hand keep up with\n", side.name)
		if err := side.findRates(ctx, b, settings); err != nil {
			return err
		}
	}
	return nil
}

func (r role) findRates(ctx context.Context, b binaries, settings *report.Settings) (err error) {
	c, err := startCalls(ctx, b, report.ByHand, r, settings.Connections)
	defer func() { err = errors.Join(err, c.stop()) }()
	if err != nil {
		return err
	}
	for _, kind := range r.kinds {
		settings.CallRates[kind], err = findRate(maxCallRate, func(rate float64) (report.Measurement, error) {
			return c.measure(ctx, kind, rate, trialDuration)
		})
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

// measureCalls measures each kind of call in each case.
func measureCalls(ctx context.Context, b binaries, run *report.Run, progress io.Writer) error {
	for round := range run.Settings.CallRounds {
		for i := range run.Cases {
			c := &run.Cases[(round+i)%len(run.Cases)]
			if !report.Measures(c.Key, report.HTTPClient) {
				continue
			}
			fmt.Fprintf(progress, "calls, round %d of %d: %s\n", round+1, run.Settings.CallRounds, c.Title)
			for _, side := range roles {
				if err := side.measure(ctx, b, c, &run.Settings, progress); err != nil {
					return fmt.Errorf("%s of calls, %s, round %d: %w", side.name, c.Title, round+1, err)
				}
			}
		}
	}
	return nil
}

func (r role) measure(ctx context.Context, b binaries, into *report.Case, settings *report.Settings, progress io.Writer) (err error) {
	c, err := startCalls(ctx, b, into.Key, r, settings.Connections)
	defer func() { err = errors.Join(err, c.stop()) }()
	if err != nil {
		return err
	}
	for _, kind := range r.kinds {
		m, err := c.measure(ctx, kind, settings.CallRates[kind], settings.Duration)
		if err != nil {
			return err
		}
		into.Rounds[kind] = append(into.Rounds[kind], m)
		fmt.Fprintf(progress, "  %-19s  %d calls, %d spans\n", kind, m.Answered, m.Spans)
	}
	return nil
}
