package vm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spanprobe/spanprobe/testbed/suites/vm/job"
)

// Report is what a machine has said.
type Report struct {
	Outputs map[string]string // of each run, by its name
	Exits   map[string]string // how each run ended
	Faults  []string          // of the machine and its kernel
	Done    bool              // it came to the end of its job

	Processor time.Duration // how long the emulator kept processors of this machine busy
}

// Problems lists what is not as it should be: all tests of all suites have run and passed, none
// was skipped, and the machine came to its end in good health.
func (r *Report) Problems(suites []Suite) ([]string, error) {
	problems := slices.Clone(r.Faults)
	for _, s := range suites {
		events, err := eventsIn(r.Outputs[s.Package])
		if err != nil {
			return nil, err
		}
		for _, problem := range s.problems(events, r.Exits[s.Package]) {
			problems = append(problems, s.Package+": "+problem)
		}
	}
	if !r.Done {
		problems = append(problems, "the machine ended before its job was done")
	}
	return problems, nil
}

// event is what test2json says of a test: `go doc test2json`.
type event struct {
	Action string
	Test   string // "" for the whole package
}

func (s Suite) problems(events []event, exit string) []string {
	var problems []string
	ended := map[string]bool{}
	for _, e := range events {
		switch e.Action {
		case "fail", "skip":
			if e.Test != "" {
				problems = append(problems, e.Action+": "+e.Test)
			}
			fallthrough
		case "pass":
			ended[e.Test] = true
		}
	}
	for _, test := range s.Tests {
		if !ended[test] {
			problems = append(problems, "did not run, or not to its end: "+test)
		}
	}
	switch exit {
	case "exit status 0":
	case "":
		problems = append(problems, "did not end")
	default:
		problems = append(problems, exit)
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
		if err := decoder.Decode(&e); errors.Is(err, io.EOF) {
			return events, nil
		} else if err != nil {
			return nil, fmt.Errorf("test2json: %w", err)
		}
		events = append(events, e)
	}
}

// pattern is what -test.run is given to run the suite's tests and no others.
func (s Suite) pattern() string {
	var alternatives []string
	for _, test := range s.Tests {
		levels := strings.Split(test, "/")
		for i, level := range levels {
			levels[i] = "^" + regexp.QuoteMeta(level) + "$"
		}
		alternatives = append(alternatives, strings.Join(levels, "/"))
	}
	return strings.Join(alternatives, "|")
}

var expected = []Suite{{Package: "faults", Tests: []string{"TestA", "TestB/go1.26.8"}}}

// said is what a machine says whose test binary prints this.
func said(output, exit string) string {
	return "a line of the kernel\n" + job.Say(job.Begins, "faults", "") + output +
		job.Say(job.Ends, "faults", exit) + job.Say(job.Done, "", "")
}

const (
	passedA = "\x16=== RUN   TestA\n\x16--- PASS: TestA (0.01s)\n"
	passedB = "\x16=== RUN   TestB\n\x16=== RUN   TestB/go1.26.8\n" +
		"\x16--- PASS: TestB/go1.26.8 (0.01s)\n\x16=== NAME  TestB\n" +
		"\x16--- PASS: TestB (0.01s)\n\x16=== NAME  \n"
)

func TestAMachineSucceedsOnlyIfEveryTestHasRunAndPassed(t *testing.T) {
	for _, c := range []struct {
		name, serial string
		want         []string
	}{
		{name: "all passed", serial: said(passedA+passedB+"PASS\n", "exit status 0")},
		{
			name: "one failed",
			serial: said("\x16=== RUN   TestA\n    a_test.go:1: why\n"+
				"\x16--- FAIL: TestA (0.01s)\n"+passedB+"FAIL\n", "exit status 1"),
			want: []string{"faults: fail: TestA", "faults: exit status 1"},
		},
		{
			name: "one was skipped",
			serial: said("\x16=== RUN   TestA\n\x16--- SKIP: TestA (0.01s)\n"+passedB+"PASS\n",
				"exit status 0"),
			want: []string{"faults: skip: TestA"},
		},
		{
			name: "a subtest did not run",
			serial: said(passedA+"\x16=== RUN   TestB\n\x16--- PASS: TestB (0.01s)\nPASS\n",
				"exit status 0"),
			want: []string{"faults: did not run, or not to its end: TestB/go1.26.8"},
		},
		{
			name:   "the binary crashed in mid-line",
			serial: said(passedA+"\x16=== RUN   TestB\nfatal error: so", "exit status 2"),
			want: []string{
				"faults: did not run, or not to its end: TestB/go1.26.8", "faults: exit status 2",
			},
		},
		{
			name:   "the machine ended early",
			serial: job.Say(job.Begins, "faults", "") + passedA + passedB,
			want:   []string{"faults: did not end", "the machine ended before its job was done"},
		},
		{
			name: "the kernel complained",
			serial: job.Say(job.Begins, "faults", "") + passedA + passedB + "PASS\n" +
				job.Say(job.Ends, "faults", "exit status 0") +
				job.Say(job.Tainted, "faults", "an oops") + job.Say(job.Done, "", ""),
			want: []string{"the kernel reports a fault of its own after faults: an oops"},
		},
		{
			name:   "the machine could not begin",
			serial: job.Say(job.Fails, "job", "mount: no such device"),
			want: []string{
				"the machine failed: mount: no such device",
				"faults: did not run, or not to its end: TestA",
				"faults: did not run, or not to its end: TestB/go1.26.8",
				"faults: did not end",
				"the machine ended before its job was done",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			report, err := read(strings.NewReader(strings.ReplaceAll(c.serial, "\n", "\r\n")), &log)
			if err != nil {
				t.Fatal(err)
			}
			problems, err := report.Problems(expected)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			shown := strings.TrimSuffix(strings.ReplaceAll(c.serial, "\x16", ""), "\n")
			if !strings.HasPrefix(log.String(), shown) {
				t.Errorf("the log is %q", log.String())
			}
		})
	}
}

func TestThePatternNamesSubtestsLevelByLevel(t *testing.T) {
	pattern := Suite{Tests: []string{"TestA", "TestB/go1.26.8"}}.pattern()
	if want := "^TestA$|^TestB$/^" + regexp.QuoteMeta("go1.26.8") + "$"; pattern != want {
		t.Errorf("%s, not %s", pattern, want)
	}
}
