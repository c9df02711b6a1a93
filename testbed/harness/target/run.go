package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/testbed/harness/load"
	"github.com/spanprobe/spanprobe/testbed/harness/process"
)

// patience is how long an answer of a target program may take: a test has its own limit.
const patience = 15 * time.Minute

// Server is a target program that runs. It says a line when it is ready, and answers each line of
// its standard input with one, until that is closed.
type Server struct {
	*process.Process
	Address string // what it said first: where it listens, mostly
}

// Start runs a target program. It ends with the test at the latest.
func Start(t testing.TB, executable string, args ...string) *Server {
	t.Helper()
	return StartCommand(t, exec.Command(executable, args...), nil)
}

// StartCommand is Start for a command, via another thread if need be: see process.Options.
func StartCommand(t testing.TB, command *exec.Cmd, via func(func() error) error) *Server {
	t.Helper()
	s, err := RunCommand(command, via)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("the target program did not end well: %v", err)
		}
	})
	return s
}

// Run runs a target program until it is stopped or killed.
func Run(executable string, args ...string) (*Server, error) {
	return RunCommand(exec.Command(executable, args...), nil)
}

// RunCommand is Run for a command, via another thread if need be: see process.Options.
func RunCommand(command *exec.Cmd, via func(func() error) error) (*Server, error) {
	p, err := process.Start(command, process.Options{Lines: true, Via: via})
	if err != nil {
		return nil, err
	}
	address, err := p.Line(patience)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("it did not say that it is ready: %w", err), p.Kill())
	}
	return &Server{p, address}, nil
}

// Addresses are the address by what listens there, of a program that says several.
func (s *Server) Addresses(t testing.TB) map[string]string {
	t.Helper()
	var addresses map[string]string
	if err := json.Unmarshal([]byte(s.Address), &addresses); err != nil {
		t.Fatalf("%q: %v", s.Address, err)
	}
	return addresses
}

// Say writes a line to the program, and returns the line that it answers.
func (s *Server) Say(line string) (string, error) { return s.Process.Ask(line, patience) }

// Ask is Say for a test.
func (s *Server) Ask(t testing.TB, question string) string {
	t.Helper()
	answer, err := s.Say(question)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// Order is Say with an order and an answer in JSON.
func (s *Server) Order(order, answer any) error {
	question, err := json.Marshal(order)
	if err != nil {
		return err
	}
	text, err := s.Say(string(question))
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), answer)
}

// Served asks how many requests have reached a handler.
func (s *Server) Served(t testing.TB) int {
	t.Helper()
	n, err := strconv.Atoi(s.Ask(t, ""))
	if err != nil {
		t.Fatalf("the target program's answer: %v", err)
	}
	return n
}

// Load sends GET requests to path over so many connections at once, each as
// soon as its last one was answered, until ctx ends. It returns how many
// were answered; a connection that breaks is opened again.
func (s *Server) Load(ctx context.Context, t testing.TB, connections int, path string) int {
	t.Helper()
	http := load.HTTP{URL: "http://" + s.Address + path, Connections: connections}
	result, err := http.Run(ctx, load.Options{})
	if err != nil {
		t.Error(err)
		return 0
	}
	return result.Answered
}

// Get makes one request over a connection of its own.
func (s *Server) Get(path string) error {
	once := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Transport: once, Timeout: 20 * time.Second}
	response, err := client.Get("http://" + s.Address + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}
