package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// outcome is what came of a test.
type outcome string

// The outcomes.
const (
	passed  outcome = "pass"
	failed  outcome = "fail"
	skipped outcome = "skip"
)

// result is a test's.
type result struct {
	outcome outcome
	at      time.Time // when it was known; zero if the input does not say
	why     string    // what the test says of a binary that is left out: its attribute "why"
	said    string    // the last line that it wrote before it was skipped
}

// test names one: the last element of its package's path, and its full name.
type test struct{ pkg, name string }

type results map[test]result

func (r results) failed() []string {
	var names []string
	for t, result := range r {
		if result.outcome == failed {
			names = append(names, t.pkg+"."+t.name)
		}
	}
	slices.Sort(names)
	return names
}

// read adds what a file tells.
func read(name string, to results) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	reader := bufio.NewReader(file)
	first, err := reader.Peek(1)
	if err != nil {
		return err
	}
	if first[0] == '{' {
		return readJSON(reader, to)
	}
	return readText(reader, to)
}

// event is a line of test2json: `go doc test2json`.
type event struct {
	Time                                      time.Time
	Action, Package, Test, Output, Key, Value string
}

func readJSON(reader io.Reader, to results) error {
	lines := json.NewDecoder(reader)
	attributes, said := map[test]string{}, map[test]string{}
	for {
		var e event
		switch err := lines.Decode(&e); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		t := test{path.Base(e.Package), e.Test}
		switch e.Action {
		case "attr":
			if e.Key == "why" {
				attributes[t] = e.Value
			}
		case "output":
			if _, text, ok := strings.Cut(e.Output, ".go:"); ok {
				_, text, _ = strings.Cut(text, ": ")
				said[t] = strings.TrimSpace(text)
			}
		case string(passed), string(failed), string(skipped):
			if e.Test != "" {
				to[t] = result{outcome(e.Action), e.Time, attributes[t], said[t]}
			}
		}
	}
}

// readText reads what `go test -v` prints. The package of tests comes behind them.
func readText(reader io.Reader, to results) error {
	pending := map[string]result{}
	attributes := map[string]string{}
	lines := bufio.NewScanner(reader)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if rest, ok := strings.CutPrefix(line, "=== ATTR"); ok {
			if name, rest, _ := strings.Cut(strings.TrimSpace(rest), " "); strings.HasPrefix(rest, "why ") {
				attributes[name] = strings.TrimPrefix(rest, "why ")
			}
			continue
		}
		for mark, o := range map[string]outcome{"--- PASS: ": passed, "--- FAIL: ": failed, "--- SKIP: ": skipped} {
			if rest, ok := strings.CutPrefix(line, mark); ok {
				name, _, _ := strings.Cut(rest, " ")
				pending[name] = result{outcome: o, why: attributes[name]}
			}
		}
		if fields := strings.Fields(line); len(fields) >= 2 && (fields[0] == "ok" || fields[0] == "FAIL") && strings.Contains(fields[1], "/") {
			for name, r := range pending {
				to[test{path.Base(fields[1]), name}] = r
			}
			clear(pending)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if len(pending) > 0 {
		return fmt.Errorf("%d tests of a package that is not named: the output is not whole", len(pending))
	}
	return nil
}
