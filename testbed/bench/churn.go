package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
	"github.com/spanprobe/spanprobe/testbed/harness/process"
)

// startedAtOnce is how many processes start together.
const startedAtOnce = 100

// makeCopies makes copies of an executable in a new folder, each a file of its own.
func makeCopies(executable, folder string, n int) (copies []string, err error) {
	if err := os.Mkdir(folder, 0o755); err != nil {
		return nil, err
	}
	for i := range n {
		copies = append(copies, filepath.Join(folder, fmt.Sprintf("short-%02d", i)))
		if err := copyFile(executable, copies[i]); err != nil {
			return nil, err
		}
	}
	return copies, nil
}

// runShort starts so many processes, one every interval, each of another copy. It returns when
// the last one has ended.
func (s *stage) runShort(n int) (report.ShortLived, error) {
	group, ctx := errgroup.WithContext(s.ctx)
	ticker := time.NewTicker(report.ChurnInterval)
	defer ticker.Stop()
	for i := 0; i < n && ctx.Err() == nil; i++ {
		s.launched++
		name := fmt.Sprintf("short-lived process %d", s.launched)
		path := s.copies[s.launched%len(s.copies)]
		group.Go(func() error { return s.liveShortly(ctx, name, path) })
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	short := report.ShortLived{Processes: n, Requests: n * report.RequestsOfShort}
	return short, errors.Join(group.Wait(), s.ctx.Err())
}

// liveShortly runs one process, which must answer each request and end well: to
// crash is the last thing that tracing may do to it.
func (b binaries) liveShortly(ctx context.Context, name, path string) (err error) {
	p, err := b.start(name, exec.Command(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.StopRunning()) }()
	address, err := p.Line(answerDeadline)
	if err != nil {
		return err
	}
	return ask(ctx, p, address, report.RequestsOfShort)
}

// ask sends requests to a server, at the address that it has said.
func ask(ctx context.Context, p *process.Process, address string, requests int) error {
	one := load.HTTP{URL: "http://" + address + requestPath, Connections: 1}
	r, err := one.Run(ctx, load.Options{Requests: requests})
	_, err = judge(p, r, errors.Join(err, ctx.Err()))
	return err
}

// measureChurn sends the fixed load, without and with processes that come and go, and starts
// many at once if they are traced.
func (b *bench) measureChurn(c *report.Case) error {
	with := setup{subject: server, key: c.Key, copies: b.binaries.copied}
	err := b.onStage(with, func(s *stage) error { return b.comeAndGo(s, c) })
	if err != nil || c.Key != report.Probed {
		return err
	}
	return b.onStage(with, func(s *stage) error {
		r, err := s.startAtOnce()
		b.run.AtOnce = append(b.run.AtOnce, r)
		b.say("  %d at once: all serve after %v, traced after %v", r.Processes, r.Serving, r.Traced)
		return err
	})
}

func (b *bench) comeAndGo(s *stage, c *report.Case) error {
	o := load.Options{Rate: b.rates[report.Fixed], Duration: b.run.Settings.ChurnDuration()}
	calm, err := s.measure(report.Fixed, o)
	if err != nil {
		return err
	}
	if c.Traced {
		unseen, err := s.observe(func() (m report.Measurement, err error) {
			m.Short, err = s.runShort(len(s.copies))
			return m, err
		})
		if err != nil {
			return err
		}
		b.run.Unseen = append(b.run.Unseen, unseen.Short)
		b.say("  the first of each binary: %+v", unseen.Short)
	}
	churn, err := s.observe(func() (m report.Measurement, err error) {
		var short report.ShortLived
		var group errgroup.Group
		group.Go(func() (err error) {
			short, err = s.runShort(int(o.Duration / report.ChurnInterval))
			return err
		})
		m, err = s.send(report.Fixed, o)
		err = errors.Join(err, group.Wait())
		m.Short = short
		return m, err
	})
	c.Rounds[report.Calm] = append(c.Rounds[report.Calm], calm)
	c.Rounds[report.Churn] = append(c.Rounds[report.Churn], churn)
	b.say("  short-lived: %+v", churn.Short)
	return err
}

// startAtOnce starts many processes of binaries that were not seen before. They end with the stage.
func (s *stage) startAtOnce() (result report.AtOnce, err error) {
	already, err := s.tracedProcesses(s.ctx)
	if err != nil {
		return result, err
	}
	m, err := s.observe(func() (m report.Measurement, err error) {
		var addresses []string
		began, first := time.Now(), len(s.processes)
		var group errgroup.Group
		group.Go(func() error {
			err := s.awaitProcesses(already + startedAtOnce)
			result.Traced = time.Since(began)
			return err
		})
		for i := 0; i < startedAtOnce && err == nil; i++ {
			name := fmt.Sprintf("process %d of %d", i+1, startedAtOnce)
			_, err = s.begin(name, exec.Command(s.copies[i%len(s.copies)]))
		}
		for i := first; i < len(s.processes) && err == nil; i++ {
			var address string
			address, err = s.processes[i].Line(answerDeadline)
			addresses = append(addresses, address)
		}
		result.Serving = time.Since(began)
		err = errors.Join(err, group.Wait())
		for i := 0; i < len(addresses) && err == nil; i++ {
			err = ask(s.ctx, s.processes[first+i], addresses[i], 1)
		}
		m.Short = report.ShortLived{Processes: len(addresses), Requests: len(addresses)}
		return m, err
	})
	result.ShortLived = m.Short
	return result, err
}

// awaitProcesses waits until so many are traced, by the receiver's count.
func (s *stage) awaitProcesses(want int) error {
	return s.collector.Await(s.ctx, startDeadline, func(ctx context.Context) error {
		n, err := s.tracedProcesses(ctx)
		if err == nil && n < want {
			err = fmt.Errorf("%d of %d processes are traced", n, want)
		}
		return err
	})
}
