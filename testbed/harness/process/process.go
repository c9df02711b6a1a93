// Package process runs the programs that tests, the benchmark and the demo need: it keeps their
// logs, talks to them in lines, and sees to it that they end.
package process

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spanprobe/spanprobe/testbed/harness/await"
)

// grace is how long a process may take to end when it is asked to.
const grace = 15 * time.Second

// Options say how a program runs. The zero value is a program whose output goes to this process's
// standard error, and which ends when its standard input is closed.
type Options struct {
	Name string // in errors; "": the name of the program's file
	Log  string // file for its output; "": this process's standard error
	// Lines says that its standard output is lines, which Line and Ask return, and not of the log.
	Lines bool
	// Terminate says that a SIGTERM ends it, and that it has no standard input.
	Terminate bool
	// Via starts it from another thread, such as one in another network namespace.
	Via func(start func() error) error
}

// Process is a program that was started. It has a process group of its own.
type Process struct {
	PID int

	options Options
	command *exec.Cmd
	stdin   io.WriteCloser
	lines   chan string
	ended   chan struct{}
	err     error       // how it ended; to be read after ended
	asked   atomic.Bool // to end
}

// Start starts a command. Its environment is this process's, but for the variables that configure
// OpenTelemetry, unless the command has one. When this process ends, the kernel ends it too, unless
// it was started via another thread.
func Start(command *exec.Cmd, o Options) (*Process, error) {
	if o.Name == "" {
		o.Name = filepath.Base(command.Path)
	}
	p := &Process{options: o, command: command}
	p.lines, p.ended = make(chan string, 16), make(chan struct{})
	stdout, err := p.connect()
	if err != nil {
		return nil, fmt.Errorf("start the %s: %w", o.Name, err)
	}
	if command.Env == nil {
		command.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
			return strings.HasPrefix(variable, "OTEL_")
		})
	}
	via, group := o.Via, attributes(command)
	if via == nil {
		group.Pdeathsig = syscall.SIGTERM
		via = onThread
	}
	err = via(command.Start)
	if log, ok := command.Stderr.(*os.File); ok && log != os.Stderr {
		log.Close() // the process has its own
	}
	if err != nil {
		return nil, fmt.Errorf("start the %s: %w", o.Name, err)
	}
	p.PID = command.Process.Pid
	go p.follow(stdout)
	return p, nil
}

// connect gives the command its standard streams, and returns the one that has lines.
func (p *Process) connect() (lines io.Reader, err error) {
	p.command.Stderr = os.Stderr
	if p.options.Log != "" {
		if p.command.Stderr, err = os.Create(p.options.Log); err != nil {
			return nil, err
		}
	}
	if !p.options.Terminate {
		if p.stdin, err = p.command.StdinPipe(); err != nil {
			return nil, err
		}
	}
	if p.options.Lines {
		return p.command.StdoutPipe()
	}
	p.command.Stdout = p.command.Stderr
	return strings.NewReader(""), nil
}

// follow reads the lines of the process, and waits for its end. Lines that nobody asks for are
// dropped.
func (p *Process) follow(stdout io.Reader) {
	reader := bufio.NewReader(stdout)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			break
		}
		select {
		case p.lines <- strings.TrimSpace(line):
		default:
		}
	}
	p.err = p.command.Wait() // which closes the pipes
	close(p.ended)
	close(p.lines)
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

func (p *Process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Wait waits until the process has ended, and returns how: nil if it ended well, or as it was told
// to.
func (p *Process) Wait(limit time.Duration) error {
	select {
	case <-p.ended:
		return p.outcome()
	case <-time.After(limit):
		return p.Explain(fmt.Errorf("it does not end within %v", limit))
	}
}

// outcome is how the process has ended.
func (p *Process) outcome() error {
	if exit := (*exec.ExitError)(nil); p.asked.Load() && errors.As(p.err, &exit) && !exit.Exited() {
		return nil // by the signal that it was sent
	}
	return p.err
}

// Line returns the next line that the process says.
func (p *Process) Line(limit time.Duration) (string, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case line, more := <-p.lines:
		if !more {
			return "", p.Explain(errors.New("it was to say something"))
		}
		return line, nil
	case <-timer.C:
		return "", p.Explain(fmt.Errorf("it says nothing for %v", limit))
	}
}

// Ask writes a line to the process, and returns the line that it answers.
func (p *Process) Ask(line string, limit time.Duration) (string, error) {
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		return "", p.Explain(err)
	}
	return p.Line(limit)
}

// Stop ends the process as the options say, waits, and returns how it ended: see Wait. It is safe
// on nil, and on a process that has ended.
func (p *Process) Stop() error {
	if p == nil {
		return nil
	} else if p.hasEnded() {
		return p.outcome()
	}
	if p.options.Terminate {
		p.asked.Store(true)
		err := p.command.Process.Signal(syscall.SIGTERM)
		if err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("end the %s (process %d): %w", p.options.Name, p.PID, err)
		}
	} else {
		p.stdin.Close() // fails if it has ended
	}
	select {
	case <-p.ended:
		return p.outcome()
	case <-time.After(grace):
		err := p.Explain(fmt.Errorf("it had to be killed: it did not end within %v", grace))
		return errors.Join(err, p.Kill())
	}
}

// StopRunning is Stop for a process that must still run. An earlier end is an error, however the
// process has ended.
func (p *Process) StopRunning() error {
	if p != nil && p.hasEnded() {
		return p.Explain(errors.New("it ended by itself"))
	}
	return p.Stop()
}

// Kill ends the process and its group with SIGKILL, and waits.
func (p *Process) Kill() error {
	if p.hasEnded() {
		return nil
	}
	p.asked.Store(true)
	err := syscall.Kill(-p.PID, syscall.SIGKILL)
	if err != nil && !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("the %s (process %d) still runs: %w", p.options.Name, p.PID, err)
	}
	<-p.ended
	return nil
}

// Await asks check until that returns no error, and no longer than a limit or than the process
// runs. The error has the last one of check, and the end of the log.
func (p *Process) Await(
	ctx context.Context, limit time.Duration, check func(context.Context) error,
) error {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	go func() {
		select {
		case <-p.ended:
			cancel()
		case <-bounded.Done():
		}
	}()
	switch err := await.Until(bounded, check); {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(bounded.Err(), context.DeadlineExceeded):
		return p.Explain(fmt.Errorf("not ready after %v: %w", limit, err))
	default:
		return p.Explain(err)
	}
}

// tailLines is how much of a log Explain shows.
const tailLines = 20

// Log is what the process has written to its log so far.
func (p *Process) Log() (string, error) {
	text, err := os.ReadFile(p.options.Log)
	return string(text), err
}

// Explain adds to an error which process it is of, how that ended, if it did, and the end of its
// log.
func (p *Process) Explain(err error) error {
	err = fmt.Errorf("%s (process %d): %w", p.options.Name, p.PID, err)
	if p.hasEnded() {
		err = fmt.Errorf("%w (the process has ended: %s)", err, p.command.ProcessState)
	}
	if p.options.Log == "" {
		return err
	}
	log, readErr := os.ReadFile(p.options.Log)
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	lines := strings.Split(string(bytes.TrimSpace(log)), "\n")
	end := strings.Join(lines[max(len(lines)-tailLines, 0):], "\n  ")
	return fmt.Errorf("%w\nthe end of its log:\n  %s", err, end)
}
