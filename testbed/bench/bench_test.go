package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/harness/collector"
)

func TestProcessorTimeIsBusyStolenOrIdle(t *testing.T) {
	read := func(line string) (processorUse, error) {
		proc := t.TempDir()
		if err := os.WriteFile(filepath.Join(proc, "stat"), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		return readProcessorUse(proc)
	}
	//                     user nice system idle iowait irq softirq steal guest guest_nice
	got, err := read("cpu  100  1    20     300  40     5   6       70    100   0\n")
	want := processorUse{busy: 132 * 10 * time.Millisecond, stolen: 700 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, line := range []string{"", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7 8", "cpu 1 2 3 4 5 6 7 x"} {
		if got, err := read(line); err == nil {
			t.Errorf("%q: %+v", line, got)
		}
	}
}

func TestWorkShowsInTheProcessorTimeOfItsProcess(t *testing.T) {
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	deadline, rounds := time.Now().Add(50*time.Millisecond), 0
	for time.Now().Before(deadline) {
		rounds++
	}
	after, err := cpuTime(os.Getpid())
	if err != nil || after-before < time.Millisecond {
		t.Errorf(
			"%d looks at the clock, for 50 ms: %v of processor time, %v",
			rounds,
			after-before,
			err,
		)
	}
}

func TestCPUsAreCountedFromTheKernelsList(t *testing.T) {
	list, err := os.ReadFile("/sys/devices/system/cpu/possible")
	if err != nil {
		t.Fatal(err)
	}
	machine, err := describeMachine("go1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("0-%d", machine.PossibleCPUs-1)
	if machine.PossibleCPUs == 1 {
		want = "0"
	}
	if got := strings.TrimSpace(string(list)); got != want || machine.CPUs > machine.PossibleCPUs {
		t.Errorf(
			"%d CPUs of %d that are possible, where the list is %q",
			machine.CPUs,
			machine.PossibleCPUs,
			got,
		)
	}
}

func TestHitsStandBesideTheirProgramsByKindOfLoad(t *testing.T) {
	hits, ms := &report.Hits{}, time.Millisecond
	of := func(library, program string) programID { return programID{library, program} }
	addHits(hits, "HTTP/1.1", map[programID]runs{
		of("one", "serve_http"): {100, ms},
		of("two", "serve_http"): {},
		of("", "process_exit"):  {},
	}, 100)
	addHits(hits, "HTTP/2", map[programID]runs{
		of("one", "serve_http"): {},
		of("two", "serve_http"): {50, ms},
		of("", "process_exit"):  {1, ms},
	}, 100)
	want := &report.Hits{Titles: []string{"HTTP/1.1", "HTTP/2"}, Probes: []report.Probe{
		{Program: "process_exit", Counts: []report.Count{{}, {Hits: 0.01, Time: ms}}},
		{
			Library: "one", Program: "serve_http",
			Counts: []report.Count{{Hits: 1, Time: ms / 100}, {}},
		},
		{
			Library: "two", Program: "serve_http",
			Counts: []report.Count{{}, {Hits: 0.5, Time: ms / 50}},
		},
	}}
	if diff := cmp.Diff(want, hits); diff != "" {
		t.Error(diff)
	}
}

// Libraries are told apart by what their programs are called.
func TestNoTwoLibrariesHaveTheSamePrograms(t *testing.T) {
	libraries, err := librariesByPrograms()
	if err != nil || len(libraries) != len(all.Libraries()) {
		t.Errorf("%d libraries are known of %d: %v", len(libraries), len(all.Libraries()), err)
	}
}

func TestTheCollectorsDifferInTheirReceiverOnly(t *testing.T) {
	text := func(receiver string, settings any) string {
		config, err := pipeline(receiver, settings, "127.0.0.1:2", 3).YAML()
		if err != nil {
			t.Fatal(err)
		}
		return string(config)
	}
	probed := text(
		"spanprobe",
		collector.Targets("/srv/*", collector.Literal("/tmp/it's [1]/bare")),
	)
	for _, want := range []string{
		"- exe: /srv/*\n", `- exe: /tmp/it's \[1\]/bare`, "compression: none\n", "port: 3\n",
	} {
		if !strings.Contains(probed, want) {
			t.Errorf("the configuration lacks %s:\n%s", want, probed)
		}
	}
	without := func(config string) string {
		before, rest, _ := strings.Cut(config, "receivers:\n")
		_, behind, _ := strings.Cut(rest, "\nservice:")
		return before + behind
	}
	byHand := text("otlp", otlp("127.0.0.1:1"))
	renamed := strings.Replace(without(probed), "- spanprobe\n", "- otlp\n", 1)
	if diff := cmp.Diff(without(byHand), renamed); diff != "" {
		t.Error(diff)
	}
}

func TestOptionsThatMeasureNothingAreRefused(t *testing.T) {
	good := options{rounds: 1, duration: time.Second, rate: 1, arrival: 1, connections: 1}
	if err := good.validate(nil); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*options){
		"no rounds":     func(o *options) { o.rounds = 0 },
		"no time":       func(o *options) { o.duration = 0 },
		"negative rate": func(o *options) { o.rate = -1 },
	} {
		o := good
		change(&o)
		if o.validate(nil) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if good.validate([]string{"x"}) == nil {
		t.Error("an argument: accepted")
	}
}

func TestTheSinkAnswersEachLineWithItsCounts(t *testing.T) {
	in, out := strings.NewReader("count\ncount\n"), &strings.Builder{}
	if err := runSink(in, out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "127.0.0.1:") {
		t.Fatalf("got %q", lines)
	}
	var counts map[string]int
	if err := json.Unmarshal([]byte(lines[2]), &counts); err != nil || len(counts) != 0 {
		t.Errorf("got %q: %v", lines[2], err)
	}
}

func TestFunctionsAreCountedInExecutablesOfGoAlone(t *testing.T) {
	if n := countFunctions("/proc/self/exe"); n < 1000 {
		t.Errorf("this test has %d functions", n)
	}
	if n := countFunctions("bench_test.go"); n != 0 {
		t.Errorf("its source has %d functions", n)
	}
}
