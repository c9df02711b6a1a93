package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
)

const (
	// copiesMade is how many binaries the short-lived processes are of.
	copiesMade = 20
	// churnInterval is the time from one start of a process to the next: 200 a minute.
	churnInterval = 300 * time.Millisecond
	// requestsOfShort is how many requests a short-lived process gets.
	requestsOfShort = 5
)

// copies are the paths of executables, each a file of its own in one folder.
type copies []string

// makeCopies makes copies of an executable in a new folder.
func makeCopies(executable, folder string, n int) (copies, error) {
	if err := os.Mkdir(folder, 0o755); err != nil {
		return nil, err
	}
	made := make(copies, n)
	for i := range made {
		made[i] = filepath.Join(folder, fmt.Sprintf("short-%02d", i))
		if err := copyFile(executable, made[i]); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// globs match the copies, and those that may yet come.
func (c copies) globs() []string {
	if len(c) == 0 {
		return nil
	}
	return []string{literal(filepath.Dir(c[0])) + "/*"}
}

// services are what the receiver calls the processes of the copies.
func (c copies) services() []string {
	names := make([]string, len(c))
	for i, path := range c {
		names[i] = filepath.Base(path)
	}
	return names
}

// churn starts a process of one copy after the other, for so long. It returns
// when the last one has ended.
func (s *stage) churn(ctx context.Context, duration time.Duration) (report.ShortLived, error) {
	return s.runShort(ctx, int(duration/churnInterval))
}

// runShort starts so many processes, churnInterval apart.
func (s *stage) runShort(ctx context.Context, n int) (report.ShortLived, error) {
	ticker := time.NewTicker(churnInterval)
	defer ticker.Stop()
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		s.launched++
		name, path := fmt.Sprintf("short-lived process %d", s.launched), s.copies[s.launched%len(s.copies)]
		wg.Go(func() { errs[i] = s.liveShortly(ctx, name, path) })
		select {
		case <-ctx.Done():
			wg.Wait()
			return report.ShortLived{}, ctx.Err()
		case <-ticker.C:
		}
	}
	wg.Wait()
	return report.ShortLived{Processes: n, Requests: n * requestsOfShort}, errors.Join(errs...)
}

// liveShortly runs one process, which must answer each request and end well: to
// crash is the last thing that tracing may do to it.
func (s *stage) liveShortly(ctx context.Context, name, path string) (err error) {
	p, err := launch(s.dir, name, exec.Command(path))
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, p.stop())
		if state := p.command.ProcessState; err == nil && !state.Success() {
			err = p.explain(fmt.Errorf("it ended with %v", state))
		}
	}()
	address, err := p.ask("")
	if err != nil {
		return err
	}
	if _, err := s.send(ctx, load.Options{URL: "http://" + address + requestPath, Connections: 1, Requests: requestsOfShort}); err != nil {
		return p.explain(err)
	}
	return nil
}

// copyFile makes a copy that can be executed.
func copyFile(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	_, err = io.Copy(target, source)
	return err
}
