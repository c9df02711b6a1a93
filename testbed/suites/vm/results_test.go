package vm

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spanprobe/spanprobe/testbed/suites/vm/job"
)

var expected = []Suite{{Package: "faults", Tests: []string{"TestA", "TestB/go1.26.8"}}}

// said is what a machine says whose test binary prints this.
func said(output, exit string) string {
	return "a line of the kernel\n" + job.Say(job.Begins, "faults", "") + output + job.Say(job.Ends, "faults", exit) + job.Say(job.Done, "", "")
}

const (
	passedA = "\x16=== RUN   TestA\n\x16--- PASS: TestA (0.01s)\n"
	passedB = "\x16=== RUN   TestB\n\x16=== RUN   TestB/go1.26.8\n\x16--- PASS: TestB/go1.26.8 (0.01s)\n\x16=== NAME  TestB\n\x16--- PASS: TestB (0.01s)\n\x16=== NAME  \n"
)

func TestAMachineSucceedsOnlyIfEveryTestHasRunAndPassed(t *testing.T) {
	for _, c := range []struct {
		name, serial string
		want         []string
	}{
		{name: "all passed", serial: said(passedA+passedB+"PASS\n", "exit status 0")},
		{
			name:   "one failed",
			serial: said("\x16=== RUN   TestA\n    a_test.go:1: why\n\x16--- FAIL: TestA (0.01s)\n"+passedB+"FAIL\n", "exit status 1"),
			want:   []string{"faults: fail: TestA", "faults: exit status 1"},
		},
		{
			name:   "one was skipped",
			serial: said("\x16=== RUN   TestA\n\x16--- SKIP: TestA (0.01s)\n"+passedB+"PASS\n", "exit status 0"),
			want:   []string{"faults: skip: TestA"},
		},
		{
			name:   "a subtest did not run",
			serial: said(passedA+"\x16=== RUN   TestB\n\x16--- PASS: TestB (0.01s)\nPASS\n", "exit status 0"),
			want:   []string{"faults: did not run, or not to its end: TestB/go1.26.8"},
		},
		{
			name:   "the binary crashed in mid-line",
			serial: said(passedA+"\x16=== RUN   TestB\nfatal error: so", "exit status 2"),
			want:   []string{"faults: did not run, or not to its end: TestB/go1.26.8", "faults: exit status 2"},
		},
		{
			name:   "the machine ended early",
			serial: job.Say(job.Begins, "faults", "") + passedA + passedB,
			want:   []string{"faults: did not end", "the machine ended before its job was done"},
		},
		{
			name:   "the kernel complained",
			serial: job.Say(job.Begins, "faults", "") + passedA + passedB + "PASS\n" + job.Say(job.Ends, "faults", "exit status 0") + job.Say(job.Tainted, "faults", "an oops") + job.Say(job.Done, "", ""),
			want:   []string{"the kernel reports a fault of its own after faults: an oops"},
		},
		{
			name:   "the machine could not begin",
			serial: job.Say(job.Fails, "job", "mount: no such device"),
			want: []string{
				"the machine failed: mount: no such device",
				"faults: did not run, or not to its end: TestA", "faults: did not run, or not to its end: TestB/go1.26.8",
				"faults: did not end", "the machine ended before its job was done",
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
			if shown := strings.ReplaceAll(c.serial, "\x16", ""); !strings.HasPrefix(log.String(), strings.TrimSuffix(shown, "\n")) {
				t.Errorf("the log is %q", log.String())
			}
		})
	}
}

func TestTheNewestKernelOfASeriesIsChosen(t *testing.T) {
	names := []string{
		"linux-image-6.12.9+bpo-cloud-amd64", "linux-image-6.12.117+deb13-cloud-amd64", "linux-image-6.12.95+deb12-cloud-amd64",
		"linux-image-6.12.200+deb13-amd64", "linux-image-6.12.200+deb13-cloud-amd64-dbg", "linux-image-6.12.200+deb13-cloud-amd64-unsigned",
		"linux-image-6.12.300+deb13-cloud-arm64", "linux-image-6.1.0-9-cloud-amd64", "linux-image-6.1.0-50-cloud-amd64",
	}
	for series, want := range map[string]string{
		"6.12": "linux-image-6.12.117+deb13-cloud-amd64",
		"6.1":  "linux-image-6.1.0-50-cloud-amd64",
		"6":    "linux-image-6.12.117+deb13-cloud-amd64",
		"5.10": "",
	} {
		if got := newestOf(names, Kernel{Series: series, Arch: "amd64"}); got != want {
			t.Errorf("series %s: %q, not %q", series, got, want)
		}
	}
}

func TestThePatternNamesSubtestsLevelByLevel(t *testing.T) {
	pattern := Suite{Tests: []string{"TestA", "TestB/go1.26.8"}}.pattern()
	if want := "^TestA$|^TestB$/^" + regexp.QuoteMeta("go1.26.8") + "$"; pattern != want {
		t.Errorf("%s, not %s", pattern, want)
	}
}
