package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
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

// test names one: the folder of its package in testbed/suites, and its full name. Without a name, it
// is the whole package.
type test struct{ pkg, name string }

// packageOf is the folder of a package in testbed/suites. Others have no tests that the page is made
// of.
func packageOf(path string) (string, error) {
	_, pkg, ok := strings.Cut(path, "/testbed/suites/")
	if !ok {
		return "", fmt.Errorf("there are tests of %s, which are not those of `make test-matrix`", path)
	}
	return pkg, nil
}

type results map[test]result

func (r results) failed() []string {
	var names []string
	for t, result := range r {
		if result.outcome == failed {
			names = append(names, strings.TrimSuffix(t.pkg+"."+t.name, "."))
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
	running := map[string]map[test]bool{} // by package, of those that have not ended
	broken := map[string]bool{}           // packages of which a test has failed
	for {
		var e event
		switch err := lines.Decode(&e); {
		case errors.Is(err, io.EOF):
			for pkg, unended := range running { // whoever wrote this was interrupted
				to[test{pkg, ""}] = result{outcome: failed}
				for t := range unended {
					to[t] = result{outcome: failed}
				}
			}
			return nil
		case err != nil:
			return err
		}
		pkg, err := packageOf(e.Package)
		if err != nil {
			return err
		}
		t := test{pkg, e.Test}
		switch e.Action {
		case "start":
			running[pkg], broken[pkg] = map[test]bool{}, false
		case "run":
			if running[pkg] == nil {
				running[pkg] = map[test]bool{}
			}
			running[pkg][t] = true
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
				delete(running[pkg], t)
				broken[pkg] = broken[pkg] || outcome(e.Action) == failed
				to[t] = result{outcome(e.Action), e.Time, attributes[t], said[t]}
				continue
			}
			// What has not ended by now never will: the program that ran it has.
			for unended := range running[pkg] {
				to[unended] = result{outcome: failed, at: e.Time}
				broken[pkg] = true
			}
			delete(running, pkg)
			delete(to, t)
			if outcome(e.Action) == failed && !broken[pkg] {
				to[t] = result{outcome: failed, at: e.Time} // it was not even compiled, or ended badly
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
			pkg, err := packageOf(fields[1])
			if err != nil {
				return err
			}
			broken := fields[0] == "FAIL"
			for name, r := range pending {
				to[test{pkg, name}] = r
				broken = broken && r.outcome != failed
			}
			clear(pending)
			delete(to, test{pkg, ""})
			if broken {
				to[test{pkg, ""}] = result{outcome: failed} // it was not even compiled, or ended badly
			}
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
