package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
)

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
