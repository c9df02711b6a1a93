package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// outcome is what came of a test.
type outcome string

// The outcomes, as test2json names them.
const (
	passed  outcome = "pass"
	failed  outcome = "fail"
	skipped outcome = "skip"
)

// result is a test's.
type result struct {
	outcome outcome
	at      time.Time // of its end; zero if the file does not say
	why     string    // of a program that is left out: the test's attribute "why"
	said    string    // the last line that it wrote before it was skipped
}

// results are by suite, which is a folder of testbed/suites, and by the test's full name. A suite
// has a failed result of no name when it was not compiled, or did not end well.
type results map[string]map[string]result

// failed lists the tests that have not ended well.
func (all results) failed() []string {
	var names []string
	for suite, tests := range all {
		for name, r := range tests {
			if r.outcome != passed && r.outcome != skipped {
				names = append(names, strings.TrimSuffix(suite+"."+name, "."))
			}
		}
	}
	slices.Sort(names)
	return names
}

// event is a line of test2json: `go doc test2json`.
type event struct {
	Time                                      time.Time
	Action, Package, Test, Output, Key, Value string
}

// add takes the next event of a file.
func (all results) add(e event) error {
	_, suite, ok := strings.Cut(e.Package, "/testbed/suites/")
	if !ok {
		return fmt.Errorf(
			"there are tests of %s, which are not those of `make test-matrix`", e.Package)
	}
	tests := all[suite]
	if tests == nil {
		tests = map[string]result{}
		all[suite] = tests
	}
	r := tests[e.Test]
	switch e.Action {
	case "start", "run":
		// This stays if no end comes: the tests were interrupted, or their program crashed.
		r = result{outcome: failed}
	case "attr":
		if e.Key == "why" {
			r.why = e.Value
		}
	case "output":
		_, text, ok := strings.Cut(e.Output, ".go:")
		if !ok || e.Test == "" {
			return nil
		}
		_, text, _ = strings.Cut(text, ": ")
		r.said = strings.TrimSpace(text)
	case string(passed), string(failed), string(skipped):
		r.outcome, r.at = outcome(e.Action), e.Time
	default:
		return nil
	}
	tests[e.Test] = r
	if e.Test == "" && (r.outcome != failed || e.Action == string(failed) && anyFailed(tests)) {
		delete(tests, "") // its tests say all
	}
	return nil
}

func anyFailed(tests map[string]result) bool {
	for name, r := range tests {
		if name != "" && r.outcome == failed {
			return true
		}
	}
	return false
}

// read adds what a file of test2json tells.
func (all results) read(name string) error {
	content, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if len(content) == 0 {
		return errors.New("it is empty")
	}
	for line := range bytes.Lines(content) {
		var e event
		err := json.Unmarshal(line, &e)
		if err == nil {
			err = all.add(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
