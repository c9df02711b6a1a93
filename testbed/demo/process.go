package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	pollInterval = 100 * time.Millisecond
	// stopGrace is how long a process may take to end when it is asked to.
	stopGrace = 10 * time.Second
	// tailLines is how much of a log is shown when something went wrong.
	tailLines = 20
)

// process is a child of the demo, whose output goes to a file.
type process struct {
	name    string
	command *exec.Cmd
	log     string        // path
	ended   chan struct{} // closed when it has ended
	err     error         // how it ended; read it after ended
	// ask asks it to end. By default it gets a SIGTERM.
	ask func() error
}

// launch starts a command with its output in dir, and without the environment
// variables that configure OpenTelemetry: they were meant for something else.
func launch(dir, name string, command *exec.Cmd) (*process, error) {
	p := &process{name: name, command: command, log: filepath.Join(dir, name+".log"), ended: make(chan struct{})}
	p.ask = func() error { return command.Process.Signal(syscall.SIGTERM) }
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	command.Stdout, command.Stderr = log, log
	command.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "OTEL_") })
	// Ctrl-C is the demo's to handle: it ends its children in order.
	isolate(command)
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	go func() {
		p.err = command.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) pid() int { return p.command.Process.Pid }

// stop ends the process, and waits until it has ended. It is safe on nil and
// on what has ended by itself.
func (p *process) stop() error {
	if p == nil {
		return nil
	}
	select {
	case <-p.ended:
		return nil
	default:
	}
	askErr := p.ask()
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-p.ended:
		return nil
	case <-timer.C:
	}
	if err := p.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("the %s (process %d) still runs, end it with `sudo kill %[2]d`: %w", p.name, p.pid(), errors.Join(askErr, err))
	}
	<-p.ended
	return fmt.Errorf("the %s (process %d) had to be killed: it did not end within %v", p.name, p.pid(), stopGrace)
}

// explain adds to an error how the process ended, if it did, and the end of its log.
func (p *process) explain(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	select {
	case <-p.ended:
		err = fmt.Errorf("%w (the process has ended: %v)", err, state(p.err))
	default:
	}
	log, readErr := os.ReadFile(p.log)
	if readErr != nil {
		return errors.Join(fmt.Errorf("%s: %w", p.name, err), readErr)
	}
	return fmt.Errorf("%s: %w\nthe end of its log:\n%s", p.name, err, lastLines(log))
}

func state(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// await asks check until it has no error, or until ctx, the process or the time
// ends. The error holds the last one of check.
func await(ctx context.Context, limit time.Duration, p *process, check func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	var last error
	for {
		err := check(bounded)
		switch {
		case err == nil:
			return nil
		case last == nil || bounded.Err() == nil:
			// What fails because the time is over says nothing about why it took so long.
			last = err
		}
		select {
		case <-p.ended:
			return p.explain(last)
		case <-bounded.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return p.explain(fmt.Errorf("not ready after %v: %w", limit, last))
		case <-ticker.C:
		}
	}
}

// freePorts returns ports of loopback that nobody listens on, all different.
func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		// Held until all are chosen, so that none is chosen twice.
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func lastLines(text []byte) string {
	lines := strings.Split(string(bytes.TrimSpace(text)), "\n")
	lines = lines[max(len(lines)-tailLines, 0):]
	return "  " + strings.Join(lines, "\n  ")
}
