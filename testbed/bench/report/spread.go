package report

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Spread sums up one figure over the rounds.
type Spread struct {
	Median, Min, Max float64
	N                int
}

// SpreadOf sums values up. Values that are no number are left out.
func SpreadOf(values []float64) Spread {
	notFinite := func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }
	sorted := slices.DeleteFunc(slices.Clone(values), notFinite)
	n := len(sorted)
	if n == 0 {
		return Spread{}
	}
	slices.Sort(sorted)
	return Spread{(sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[0], sorted[n-1], n}
}

// over sums a figure of each of them up.
func over[T any](all []T, figure func(T) float64) Spread {
	values := make([]float64, len(all))
	for i, one := range all {
		values[i] = figure(one)
	}
	return SpreadOf(values)
}

// none stands where there is no figure.
const none = "–"

// format writes "median (min..max)" with verb for each number and the unit behind the median.
func (s Spread) format(verb, unit string) string {
	switch {
	case s.N == 0:
		return none
	case s.Min == s.Max:
		return fmt.Sprintf(verb, s.Median) + unit
	}
	return fmt.Sprintf(verb+"%s ("+verb+".."+verb+")", s.Median, unit, s.Min, s.Max)
}

// figure is what tables show of measurements.
type figure struct {
	verb, unit string
	of         func(Measurement) float64
	ofSpans    bool // of no use where nothing is traced
}

var figures = map[string]figure{
	"app":       {"%.1f", " µs", appMicros, false},
	"collector": {"%.1f", " µs", collectorMicros, true},
	"p50":       {"%.2f", " ms", func(m Measurement) float64 { return milliseconds(m.P50) }, false},
	"p99":       {"%.2f", " ms", func(m Measurement) float64 { return milliseconds(m.P99) }, false},
	"lag":       {"%.2f", " ms", lagMillis, false},
	"rate":      {"%.0f", "", throughput, false},
	"held":      {"%.1f", " %", heldPercent, false},
	"spans":     {"%.3f", " %", arrivedPercent, true},
	"resident":  {"%.0f", " MB", residentMegabytes, true},
	"BPF":       {"%.1f", " MB", bpfMegabytes, true},
	"others":    {"%.1f", " %", func(m Measurement) float64 { return 100 * m.Others }, false},
	"stolen":    {"%.1f", " %", func(m Measurement) float64 { return 100 * m.Stolen }, false},
}

func (f figure) over(rounds []Measurement) string {
	return over(rounds, f.of).format(f.verb, f.unit)
}

// bpfMegabytes is no number without BPF.
func bpfMegabytes(m Measurement) float64 {
	if m.BPFMemory == 0 {
		return math.NaN()
	}
	return float64(m.BPFMemory) / 1e6
}

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

func milliseconds(d time.Duration) float64 { return microseconds(d) / 1e3 }

func appMicros(m Measurement) float64 { return microseconds(m.App) / float64(m.Answered) }

func collectorMicros(m Measurement) float64 {
	return microseconds(m.Collector) / float64(m.Answered)
}

func bothMicros(m Measurement) float64 { return appMicros(m) + collectorMicros(m) }

func throughput(m Measurement) float64 { return float64(m.Answered) / m.Elapsed.Seconds() }

// addedShare is the share that tracing adds to the app's CPU.
func addedShare(bare, m Measurement) float64 { return appMicros(m)/appMicros(bare) - 1 }

func lagMillis(m Measurement) float64 { return milliseconds(m.LagP99) }

func residentMegabytes(m Measurement) float64 { return float64(m.CollectorRSS) / 1e6 }

func heldPercent(m Measurement) float64 { return 100 * float64(m.Sent) / float64(m.Due) }

func arrivedPercent(m Measurement) float64 { return 100 * float64(m.Spans) / float64(m.Sent) }
