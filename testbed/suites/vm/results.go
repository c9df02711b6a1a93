package vm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// event is what test2json says of a test: `go doc test2json`.
type event struct {
	Action string
	Test   string // "" for the whole package
}

// pattern is what -test.run is given to run the suite's tests and no others.
func (s Suite) pattern() string {
	var alternatives []string
	for _, test := range s.Tests {
		var levels []string
		for level := range strings.SplitSeq(test, "/") {
			levels = append(levels, "^"+regexp.QuoteMeta(level)+"$")
		}
		alternatives = append(alternatives, strings.Join(levels, "/"))
	}
	return strings.Join(alternatives, "|")
}

// Problems lists what is not as it should be: all tests of all suites have run
// and passed, none was skipped, and the machine came to its end in good health.
func (r *Report) Problems(suites []Suite) ([]string, error) {
	problems := slices.Clone(r.Faults)
	for _, s := range suites {
		events, err := eventsIn(r.Outputs[s.Package])
		if err != nil {
			return nil, err
		}
		problems = append(problems, s.problems(events, r.Exits[s.Package])...)
	}
	if !r.Done {
		problems = append(problems, "the machine ended before its job was done")
	}
	return problems, nil
}

func (s Suite) problems(events []event, exit string) []string {
	var problems []string
	ended := map[string]string{}
	for _, e := range events {
		switch e.Action {
		case "pass", "fail", "skip":
			ended[e.Test] = e.Action
		}
		if (e.Action == "fail" || e.Action == "skip") && e.Test != "" {
			problems = append(problems, fmt.Sprintf("%s: %s: %s", s.Package, e.Action, e.Test))
		}
	}
	for _, test := range s.Tests {
		if ended[test] == "" {
			problems = append(problems, fmt.Sprintf("%s: did not run, or not to its end: %s", s.Package, test))
		}
	}
	switch exit {
	case "exit status 0":
	case "":
		problems = append(problems, s.Package+": did not end")
	default:
		problems = append(problems, s.Package+": "+exit)
	}
	return problems
}

// eventsIn has test2json read the output of a test binary.
func eventsIn(text string) ([]event, error) {
	command := exec.Command("go", "tool", "test2json")
	command.Stdin = strings.NewReader(text)
	converted, err := output(command)
	if err != nil {
		return nil, err
	}
	var events []event
	for decoder := json.NewDecoder(strings.NewReader(converted)); ; {
		var e event
		switch err := decoder.Decode(&e); {
		case errors.Is(err, io.EOF):
			return events, nil
		case err != nil:
			return nil, fmt.Errorf("test2json: %w", err)
		}
		events = append(events, e)
	}
}
