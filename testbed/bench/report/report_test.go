package report

import (
	"flag"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden file anew")

// micros makes a measurement of 1000 requests from microseconds a request.
func micros(app, collector float64) Measurement {
	return Measurement{
		Due: 1000, Sent: 1000, Answered: 1000, Spans: 1000, Elapsed: time.Second,
		P50: 200 * time.Microsecond, P99: 3 * time.Millisecond, LagP99: 100 * time.Microsecond,
		App:          time.Duration(app * 1000 * float64(time.Microsecond)),
		Collector:    time.Duration(collector * 1000 * float64(time.Microsecond)),
		CollectorRSS: 60e6, Others: 0.01,
	}
}

// passing is a run that meets every target.
func passing() *Run {
	bare := func(app float64) Measurement { m := micros(app, 0); m.Spans = 0; return m }
	probed := func(app, collector float64) Measurement {
		m := micros(app, collector)
		m.BPFMemory, m.Lost = 6e6, map[string]int{"ring_full": 0}
		return m
	}
	every := func(m ...Measurement) map[Mode][]Measurement {
		return map[Mode][]Measurement{
			Fixed:        m,
			HTTP2:        m,
			Saturated:    m,
			Arrival:      m,
			HTTPClient:   m,
			StreamServer: m,
		}
	}
	beside := []Measurement{bare(21), bare(43), bare(22)}
	comingAndGoing := func(spans int) (all []Measurement) {
		for _, millis := range []time.Duration{4, 6, 5} {
			m := micros(40, 3)
			m.P99 = millis * time.Millisecond
			m.Short = ShortLived{Processes: 50, Requests: 250, Spans: spans}
			all = append(all, m)
		}
		return all
	}
	run := &Run{
		Machine: Machine{
			Kernel:         "6.18.1",
			CPU:            "A CPU",
			Arch:           "amd64",
			CPUs:           2,
			PossibleCPUs:   2,
			Memory:         8e9,
			Go:             "go1.26.8",
			Virtualization: "virtual machine",
		},
		Settings: Settings{
			Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Rounds: 3, Duration: 8 * time.Second,
			Rates: map[Mode]float64{
				Fixed:        8000,
				HTTP2:        4000,
				Arrival:      20_000,
				HTTPClient:   3000,
				StreamServer: 1500,
			},
			Connections: 16,
		},
		Cases: []Case{
			{Key: Bare, Title: "bare", Rounds: every(bare(20), bare(40), bare(21))},
			{
				Key:    ByHand,
				Title:  "instrumented by hand",
				Traced: true,
				Rounds: every(micros(50, 10), micros(90, 20), micros(51, 10)),
			},
			{
				Key:    Probed,
				Title:  "traced by spanprobe",
				Traced: true,
				Rounds: every(probed(22, 3), probed(48, 4), probed(23, 3)),
			},
			{
				Key:    Bystander,
				Title:  "not traced, of a traced executable",
				Rounds: map[Mode][]Measurement{Fixed: beside, Saturated: beside},
			},
		},
		Hits: []*Hits{{
			Each:   "request",
			Titles: []string{"fixed", "HTTP/2"},
			Probes: []Probe{
				{Program: "process_exit", Counts: []Count{{0.001, 400}, {}}},
				{"net/http server", "finish_request", []Count{{1, 400}, {}}},
				{"net/http server", "serve_http", []Count{{1, 800}, {1, 900}}},
			},
		}, {
			Each:   "call",
			Titles: []string{"HTTP/1.1 client", "gRPC client, unary"},
			Probes: []Probe{
				{"gRPC client", "end_call", []Count{{}, {2, 700}}},
				{"net/http client", "end_call", []Count{{1, 900}, {}}},
			},
		}},
		Context: &ContextCost{
			Calls: map[Mode]map[Context]Count{
				HTTPClient: {
					Isolated: {4, 8 * time.Microsecond},
					Joined:   {4, 9500},
					Ancestry: {7, 10200},
				},
				UnaryClient: {
					Isolated: {5, 9 * time.Microsecond},
					Joined:   {6, 12400},
					Ancestry: {6, 12500},
				},
			},
			Starts: map[Context][]time.Duration{
				Untraced: {300, 310},
				Isolated: {300, 320},
				Joined:   {310, 300},
				Ancestry: {1500, 1700},
			},
		},
		Unseen: []ShortLived{{20, 100, 0}, {20, 100, 10}, {20, 100, 5}},
		AtOnce: []AtOnce{
			{ShortLived{100, 100, 100}, 500 * time.Millisecond, 600 * time.Millisecond},
			{ShortLived{100, 100, 100}, 700 * time.Millisecond, 800 * time.Millisecond},
		},
		Inspected: []Inspected{
			{
				Name:      "jaeger",
				Size:      121e6,
				Functions: 209_185,
				Took:      []time.Duration{240 * time.Millisecond, 260 * time.Millisecond},
				Memory:    16e6,
			},
			{
				Name:      "bare",
				Size:      8e6,
				Functions: 9000,
				Took:      []time.Duration{20 * time.Millisecond, 20 * time.Millisecond},
				Memory:    12e6,
			},
		},
	}
	for key, spans := range map[string]int{Bare: 0, Probed: 250} {
		rounds := run.find(key).Rounds
		rounds[Calm], rounds[Churn] = rounds[Fixed], comingAndGoing(spans)
	}
	return run
}

// change changes the measurements of a case in a mode.
func change(r *Run, key string, mode Mode, by func(*Measurement)) {
	c := r.find(key)
	rounds := slices.Clone(c.Rounds[mode])
	for i := range rounds {
		by(&rounds[i])
	}
	c.Rounds[mode] = rounds
}

// The targets, in their order.
const (
	appFixed = iota
	togetherFixed
	appArrival
	togetherArrival
	appSaturated
	togetherSaturated
	memory
	arrival
	shortLived
	atOnce
	inspection
	targets
)

func TestEachTargetIsCheckedByItself(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Run)
		want   map[int]Outcome // of those that do not pass
	}{
		{"all is well", func(*Run) {}, nil},
		{"the app's overhead is too high under saturation", func(r *Run) {
			change(r, Probed, Saturated, func(m *Measurement) {
				m.App += 4 * time.Millisecond
				m.Collector = 0
			})
		}, map[int]Outcome{appSaturated: Fail}},
		{"the collector takes too much", func(r *Run) {
			change(r, Probed, Fixed, func(m *Measurement) { m.Collector += 10 * time.Millisecond })
		}, map[int]Outcome{togetherFixed: Fail}},
		{"a case could not hold the fixed rate", func(r *Run) {
			change(r, Probed, Fixed, func(m *Measurement) { m.Due = 1100 })
		}, map[int]Outcome{appFixed: Unmet, togetherFixed: Unmet}},
		{"too much memory", func(r *Run) {
			change(r, Probed, Fixed, func(m *Measurement) { m.BPFMemory = 41e6 })
		}, map[int]Outcome{memory: Fail}},
		{"too much memory on a larger machine", func(r *Run) {
			change(r, Probed, Fixed, func(m *Measurement) { m.BPFMemory = 41e6 })
			r.Machine.PossibleCPUs = 64
		}, map[int]Outcome{memory: Unmet}},
		{"one span of all rounds is missing", func(r *Run) {
			incomplete := micros(1, 1)
			incomplete.Spans--
			r.find(Probed).Rounds[Arrival] = []Measurement{micros(1, 1), incomplete}
		}, map[int]Outcome{arrival: Fail}},
		{"one span too many", func(r *Run) {
			change(r, Probed, Arrival, func(m *Measurement) { m.Spans++ })
		}, map[int]Outcome{arrival: Fail}},
		{"no BPF object was found in the collector", func(r *Run) {
			change(r, Probed, Fixed, func(m *Measurement) { m.BPFMemory = 0 })
		}, map[int]Outcome{memory: Unmet}},
		{"the rate at which spans must arrive could not be sent", func(r *Run) {
			change(r, Probed, Arrival, func(m *Measurement) { m.Due = 1100 })
		}, map[int]Outcome{appArrival: Unmet, togetherArrival: Unmet, arrival: Unmet}},
		{"a span of a short-lived process is missing", func(r *Run) {
			change(r, Probed, Churn, func(m *Measurement) { m.Short.Spans-- })
		}, map[int]Outcome{shortLived: Fail}},
		{
			"one round of processes was traced late",
			func(r *Run) { r.AtOnce[1].Traced = 2100 * time.Millisecond },
			map[int]Outcome{atOnce: Fail},
		},
		{
			"one of those that are traced has no span",
			func(r *Run) { r.AtOnce[1].Spans = 99 },
			map[int]Outcome{atOnce: Fail},
		},
		{
			"a binary takes too long",
			func(r *Run) { r.Inspected[1].Took = []time.Duration{time.Second} },
			map[int]Outcome{inspection: Fail},
		},
		{
			"a binary takes too much memory",
			func(r *Run) { r.Inspected[1].Memory = 51e6 },
			map[int]Outcome{inspection: Fail},
		},
		{"one of them is larger than what counts", func(r *Run) {
			huge := Inspected{Name: "huge", Size: 700e6, Took: []time.Duration{time.Second}}
			r.Inspected = append(r.Inspected, huge)
		}, nil},
		{
			"no binary of many functions was there",
			func(r *Run) { r.Inspected[0].Functions = 100_000 },
			map[int]Outcome{inspection: Unmet},
		},
		{
			"no large binary was there",
			func(r *Run) { r.Inspected = r.Inspected[1:] },
			map[int]Outcome{inspection: Unmet},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := passing()
			test.change(run)
			got := map[int]Outcome{}
			for target, check := range run.Checks() {
				if check.Outcome != Pass {
					got[target] = check.Outcome
				}
			}
			if !maps.Equal(got, test.want) || len(run.Checks()) != targets {
				t.Errorf("got  %v\nwant %v\n%+v", got, test.want, run.Checks())
			}
		})
	}
}

func TestRatiosAreMadeWithinARoundAndTheirMedianDecides(t *testing.T) {
	// The second round ran while the machine was half as fast. The ratio of the
	// medians, 23 to 21, would be 9.5 %.
	got := passing().Checks()[0].Measured
	if want := "10.0 % (9.5..20.0)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestASpreadIsTheMedianWithTheLowestAndTheHighest(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   Spread
		text   string
	}{
		{nil, Spread{}, "–"},
		{[]float64{3}, Spread{3, 3, 3, 1}, "3.0 µs"},
		{[]float64{9, 1, 2}, Spread{2, 1, 9, 3}, "2.0 µs (1.0..9.0)"},
		{[]float64{4, 1, 2, 9}, Spread{3, 1, 9, 4}, "3.0 µs (1.0..9.0)"},
		{[]float64{math.NaN(), 5, math.Inf(1)}, Spread{5, 5, 5, 1}, "5.0 µs"},
	} {
		got := SpreadOf(test.values)
		if got != test.want || got.format("%.1f", " µs") != test.text {
			t.Errorf(
				"%v: %+v, %s; want %+v, %s",
				test.values,
				got,
				got.format("%.1f", " µs"),
				test.want,
				test.text,
			)
		}
	}
}

func TestTheReportIsTheGoldenOne(t *testing.T) {
	golden := filepath.Join("testdata", "report.md")
	got := passing().Markdown()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func TestALossIsNotRoundedAway(t *testing.T) {
	run := passing()
	run.Cases[2].Rounds[Fixed] = []Measurement{
		{Due: 160_000, Sent: 160_000, Answered: 160_000, Spans: 159_999, Elapsed: time.Second},
	}
	if text := run.Markdown(); !strings.Contains(text, "99.999 %") {
		t.Errorf("159,999 spans of 160,000 requests are not told:\n%s", text)
	}
}

func TestARateThatACaseDidNotHoldIsTold(t *testing.T) {
	run := passing()
	if text := run.Markdown(); strings.Contains(text, "Not comparable") {
		t.Errorf("every case held its rate:\n%s", text)
	}
	for told, mode := range []Mode{HTTP2, Fixed, Arrival} {
		change(run, ByHand, mode, func(m *Measurement) { m.Due = 1100 })
		if text := run.Markdown(); strings.Count(
			text,
			"Not comparable: instrumented by hand held only 90.9 %",
		) != told+1 {
			t.Errorf("%s: it is not told:\n%s", mode, text)
		}
	}
}

func TestOnlyWhatStandsBetweenTheMarksIsReplaced(t *testing.T) {
	page := "# Title\n\n" + beginMark + "\n\nold\n\n" + endMark + "\n\nbehind\n"
	got, err := Replace(page, "new\n\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := "# Title\n\n" + beginMark + "\n\nnew\n\n" + endMark + "\n\nbehind\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if again, err := Replace(got, "new"); err != nil || again != got {
		t.Errorf("the same section again: %v, %q", err, again)
	}
	for _, page := range []string{"", beginMark, endMark, endMark + beginMark} {
		if got, err := Replace(page, "new"); err == nil {
			t.Errorf("a page without both marks: %q", got)
		}
	}
}

func TestThousandsAreGrouped(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 999: "999", 1000: "1,000", 20_000: "20,000", 1_234_567: "1,234,567",
	} {
		if got := thousands(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}
