package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
)

const (
	// churnRounds is how often what comes and goes is measured at most.
	churnRounds = 3
	// churnFactor is how much longer a load lasts beside which processes come and go.
	churnFactor = 2
	// startedAtOnce is how many processes start together.
	startedAtOnce = 100
	// atOnceDeadline is how long it may take until they are traced.
	atOnceDeadline = 30 * time.Second
	// processesPause is the time between two looks at how many are traced.
	processesPause = 20 * time.Millisecond
)

// measureComeAndGo measures what becomes of a server, and of short-lived
// processes, when these come and go beside it.
func measureComeAndGo(ctx context.Context, b binaries, run *report.Run, progress io.Writer) error {
	for round := range run.Settings.ChurnRounds {
		for i := range run.Cases {
			c := &run.Cases[(round+i)%len(run.Cases)]
			if !report.Measures(c.Key, report.Churn) {
				continue
			}
			fmt.Fprintf(progress, "processes that come and go, round %d of %d: %s\n", round+1, run.Settings.ChurnRounds, c.Title)
			if err := measureChurn(ctx, b, c, run, progress); err != nil {
				return fmt.Errorf("processes that come and go, %s, round %d: %w", c.Title, round+1, err)
			}
			if c.Key == report.Probed {
				if err := measureAtOnce(ctx, b, run, progress); err != nil {
					return fmt.Errorf("processes that start at once, round %d: %w", round+1, err)
				}
			}
		}
	}
	return nil
}

// measureChurn sends the fixed load, without and with processes that come and go.
func measureChurn(ctx context.Context, b binaries, c *report.Case, run *report.Run, progress io.Writer) (err error) {
	s, err := startStage(ctx, b, setup{key: c.Key, connections: run.Settings.Connections, copies: b.copies})
	defer func() { err = errors.Join(err, s.stop()) }()
	if err != nil {
		return err
	}
	o := http1Load(run.Settings.Connections)
	o.Rate, o.Duration = run.Settings.Rate, churnFactor*run.Settings.Duration
	calm, err := s.measure(ctx, o)
	if err != nil {
		return err
	}
	if c.Traced {
		unseen, err := s.firstOfEach(ctx)
		if err != nil {
			return err
		}
		run.Unseen = append(run.Unseen, unseen)
		fmt.Fprintf(progress, "  the first of each binary: %d requests, %d spans\n", unseen.Requests, unseen.Spans)
	}
	churn, err := s.measureBeside(ctx, o, func(ctx context.Context) (report.ShortLived, error) { return s.churn(ctx, o.Duration) })
	if err != nil {
		return err
	}
	c.Rounds[report.Calm] = append(c.Rounds[report.Calm], calm)
	c.Rounds[report.Churn] = append(c.Rounds[report.Churn], churn)
	fmt.Fprintf(progress, "  short-lived: %d requests, %d spans\n", churn.Short.Requests, churn.Short.Spans)
	return nil
}

// firstOfEach runs one process of each copy, which nobody has run before.
func (s *stage) firstOfEach(ctx context.Context) (report.ShortLived, error) {
	before, err := s.spans()
	if err != nil {
		return report.ShortLived{}, err
	}
	first, err := s.runShort(ctx, len(s.copies))
	if err != nil {
		return first, err
	}
	if err := s.settle(ctx, before.all()+first.Requests); err != nil {
		return first, err
	}
	after, err := s.spans()
	first.Spans = after.copies - before.copies
	return first, err
}

// measureAtOnce starts many processes of binaries that were not seen before.
func measureAtOnce(ctx context.Context, b binaries, run *report.Run, progress io.Writer) (err error) {
	s, err := startStage(ctx, b, setup{key: report.Probed, connections: run.Settings.Connections, copies: b.copies})
	defer func() { err = errors.Join(err, s.stop()) }()
	if err != nil {
		return err
	}
	result, err := s.startAtOnce(ctx)
	if err != nil {
		return err
	}
	run.AtOnce = append(run.AtOnce, result)
	fmt.Fprintf(progress, "  %d at once: all serve after %v, all traced after %v\n", result.Processes, result.Serving.Round(time.Millisecond), result.Traced.Round(time.Millisecond))
	return nil
}

func (s *stage) startAtOnce(ctx context.Context) (result report.AtOnce, err error) {
	already, err := s.collector.processes(ctx)
	if err != nil {
		return result, err
	}
	before, err := s.spans()
	if err != nil {
		return result, err
	}
	began := time.Now()
	traced, cancel := s.awaitProcesses(ctx, began, already+startedAtOnce)
	defer cancel()
	servers, err := s.launchCopies(startedAtOnce)
	defer func() {
		for _, p := range servers {
			err = errors.Join(err, p.stop())
		}
	}()
	if err != nil {
		return result, err
	}
	addresses := make([]string, len(servers))
	for i, p := range servers {
		if addresses[i], err = p.ask(""); err != nil {
			return result, err
		}
	}
	result.Serving = time.Since(began)
	all := <-traced
	if all.err != nil {
		return result, all.err
	}
	result.Traced = all.after
	for i, address := range addresses {
		if _, err := s.send(ctx, load.Options{URL: "http://" + address + requestPath, Connections: 1, Requests: 1}); err != nil {
			return result, servers[i].explain(err)
		}
	}
	result.Processes, result.Requests = len(servers), len(servers)
	if err := s.settle(ctx, before.all()+result.Requests); err != nil {
		return result, err
	}
	after, err := s.spans()
	result.Spans = after.copies - before.copies
	return result, err
}

// launchCopies starts processes of all copies. Those it returns must be stopped,
// with an error, too.
func (s *stage) launchCopies(n int) (servers []*process, err error) {
	for i := range n {
		p, err := launch(s.dir, fmt.Sprintf("process %d of %d", i+1, n), exec.Command(s.copies[i%len(s.copies)]))
		if err != nil {
			return servers, err
		}
		servers = append(servers, p)
	}
	return servers, nil
}

// elapsed is how long something took, or why it did not come about.
type elapsed struct {
	after time.Duration
	err   error
}

// awaitProcesses tells when so many processes are traced, by the receiver's count.
func (s *stage) awaitProcesses(ctx context.Context, began time.Time, want int) (<-chan elapsed, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, atOnceDeadline)
	told := make(chan elapsed, 1)
	go func() {
		for {
			n, err := s.collector.processes(ctx)
			if err != nil || n >= want {
				told <- elapsed{time.Since(began), err}
				return
			}
			select {
			case <-ctx.Done():
				told <- elapsed{time.Since(began), s.collector.explain(fmt.Errorf("%d of %d processes are traced: %w", n, want, ctx.Err()))}
				return
			case <-time.After(processesPause):
			}
		}
	}()
	return told, cancel
}
