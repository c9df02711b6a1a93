package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/spanprobe/spanprobe/testbed/harness/sink"
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

// counts returns how many spans of each service have arrived.
func (s *sinkProcess) counts() (map[string]int, error) {
	line, err := s.ask("count")
	if err != nil {
		return nil, err
	}
	var counts map[string]int
	if err := json.Unmarshal([]byte(line), &counts); err != nil {
		return nil, fmt.Errorf("the sink's answer %q: %w", line, err)
	}
	return counts, nil
}
