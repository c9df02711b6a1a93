package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// stopGrace is how long a process may take to end when it is asked to.
	stopGrace = 15 * time.Second
	// answerDeadline is how long a process may take to say a line.
	answerDeadline = 10 * time.Second
	// shownLog is how much of a log is shown when something went wrong, in bytes.
	shownLog = 2000
)

// process is a child, which ends when its standard input is closed.
type process struct {
	name    string
	command *exec.Cmd
	stdin   io.WriteCloser
	lines   chan string // of its standard output; what nobody asks for is dropped
	log     string      // path of its standard error
	ended   chan struct{}
	onTerm  bool // it ends on a SIGTERM instead
}

// launch starts a command, without the environment variables that configure
// OpenTelemetry: they were meant for something else.
func launch(dir, name string, command *exec.Cmd) (*process, error) {
	p := &process{name: name, command: command, log: filepath.Join(dir, name+".log"), lines: make(chan string, 16), ended: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	command.Stderr = log
	command.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "OTEL_") })
	// A group of its own: Ctrl-C is for us to handle. If we are killed, so is it.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if p.stdin, err = command.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	go func() {
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			select {
			case p.lines <- scanner.Text():
			default:
			}
		}
		// Only now, since it closes the pipe. How a child ends that was told to
		// does not matter, and stop takes notice of one that was not.
		_ = command.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) pid() int { return p.command.Process.Pid }

// ask writes a line, if there is one, and returns the line that it answers with.
func (p *process) ask(line string) (string, error) { return p.askWithin(line, answerDeadline) }

// askWithin is ask where the answer takes longer.
func (p *process) askWithin(line string, deadline time.Duration) (string, error) {
	if line != "" {
		if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
			return "", p.explain(err)
		}
	}
	select {
	case answer := <-p.lines:
		return answer, nil
	case <-p.ended:
		return "", p.explain(errors.New("it has ended"))
	case <-time.After(deadline):
		return "", p.explain(fmt.Errorf("it says nothing for %v", deadline))
	}
}

// stop ends the process and waits for it. It is safe on nil.
func (p *process) stop() error {
	if p == nil {
		return nil
	}
	select {
	case <-p.ended:
		return p.explain(errors.New("it ended by itself"))
	default:
	}
	err := p.stdin.Close()
	if p.onTerm {
		err = p.command.Process.Signal(syscall.SIGTERM)
	}
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end the %s (process %d): %w", p.name, p.pid(), err)
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopGrace):
	}
	if err := p.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("the %s (process %d) still runs: %w", p.name, p.pid(), err)
	}
	<-p.ended
	return p.explain(fmt.Errorf("it had to be killed: it did not end within %v", stopGrace))
}

// explain adds the end of the process's log to an error.
func (p *process) explain(err error) error {
	log, readErr := os.ReadFile(p.log)
	if readErr != nil {
		return errors.Join(fmt.Errorf("%s: %w", p.name, err), readErr)
	}
	log = log[max(len(log)-shownLog, 0):]
	return fmt.Errorf("%s: %w; the end of its log:\n%s", p.name, err, log)
}
