package target

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Server is a running target that serves HTTP.
type Server struct {
	Address string // host:port
	PID     int

	command *exec.Cmd
	stdin   io.WriteCloser
	stdout  *bufio.Reader
	ended   chan error
}

// Start runs a server. It ends with the test at the latest.
func Start(t testing.TB, executable string, args ...string) *Server {
	t.Helper()
	s, err := Run(executable, args...)
	if err != nil {
		t.Fatalf("start %s: %v", executable, err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("the target did not end well: %v", err)
		}
	})
	return s
}

// Run runs a server until it is stopped or killed.
func Run(executable string, args ...string) (*Server, error) {
	command := exec.Command(executable, args...)
	s := &Server{command: command, ended: make(chan error, 1)}
	command.Stderr = os.Stderr
	var err error
	if s.stdin, err = command.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	s.PID = command.Process.Pid
	s.stdout = bufio.NewReader(stdout)
	address, err := s.stdout.ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("it did not say where it listens: %w", err), s.Kill())
	}
	s.Address = strings.TrimSpace(address)
	return s, nil
}

// Say writes a line to the target, and returns the line that it answers.
func (s *Server) Say(line string) (string, error) {
	if _, err := io.WriteString(s.stdin, line+"\n"); err != nil {
		return "", fmt.Errorf("ask the target: %w", err)
	}
	answer, err := s.stdout.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the target's answer: %w", err)
	}
	return strings.TrimSpace(answer), nil
}

// Ask is Say for a test.
func (s *Server) Ask(t testing.TB, question string) string {
	t.Helper()
	answer, err := s.Say(question)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// Served asks how many requests have reached a handler.
func (s *Server) Served(t testing.TB) int {
	t.Helper()
	n, err := strconv.Atoi(s.Ask(t, ""))
	if err != nil {
		t.Fatalf("the target's answer: %v", err)
	}
	return n
}

// Stop lets the server end by itself, and says if it did not do so cleanly:
// a target that crashed is what tracing must never cause.
func (s *Server) Stop() error {
	if s.command.ProcessState != nil {
		return nil
	}
	s.stdin.Close() // its end is what is waited for
	go func() { s.ended <- s.command.Wait() }()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(10 * time.Second):
		return errors.Join(errors.New("it did not end"), s.Kill())
	}
}

// Kill ends the server with SIGKILL.
func (s *Server) Kill() error {
	if err := s.command.Process.Kill(); err != nil {
		return err
	}
	_ = s.command.Wait() // "signal: killed" is what was asked for
	return nil
}
