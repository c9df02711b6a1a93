package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/spanprobe/spanprobe/testbed/internal/sink"
)

// sinkCommand makes this program a sink: in a process of its own it does not
// disturb the generator.
const sinkCommand = "sink"

// runSink prints the sink's address, and for each line of input how many spans
// have arrived of each service, until the input ends.
func runSink(in io.Reader, out io.Writer) error {
	s, err := sink.StartCounting("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer s.Stop()
	fmt.Fprintln(out, s.Address())
	encoder := json.NewEncoder(out)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if err := encoder.Encode(s.Counts()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// sinkProcess is a sink that runs elsewhere.
type sinkProcess struct {
	*process
	address string
}

func startSink(dir string) (*sinkProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := launch(dir, "sink", exec.Command(self, sinkCommand))
	if err != nil {
		return nil, err
	}
	s := &sinkProcess{process: p}
	s.address, err = p.ask("")
	return s, err
}

// count returns how many spans of a service have arrived. Spans of another are
// an error: they would be of something that was not meant to be measured.
func (s *sinkProcess) count(service string) (int, error) {
	line, err := s.ask("count")
	if err != nil {
		return 0, err
	}
	var counts map[string]int
	if err := json.Unmarshal([]byte(line), &counts); err != nil {
		return 0, fmt.Errorf("the sink's answer %q: %w", line, err)
	}
	for other, n := range counts {
		if other != service {
			return 0, fmt.Errorf("%d spans of the service %q arrived, where only %q was to be traced", n, other, service)
		}
	}
	return counts[service], nil
}
