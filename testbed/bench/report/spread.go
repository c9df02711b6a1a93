package report

import (
	"fmt"
	"math"
	"slices"
)

// Spread sums up one figure over the rounds.
type Spread struct {
	Median, Min, Max float64
	N                int
}

// SpreadOf sums values up. Values that are no number are left out.
func SpreadOf(values []float64) Spread {
	sorted := slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	n := len(sorted)
	if n == 0 {
		return Spread{}
	}
	slices.Sort(sorted)
	median := sorted[n/2]
	if n%2 == 0 {
		median = (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return Spread{Median: median, Min: sorted[0], Max: sorted[n-1], N: n}
}

// format writes "median (min..max)" with verb for each number and the unit
// behind the median.
func (s Spread) format(verb, unit string) string {
	switch {
	case s.N == 0:
		return "–"
	case s.Min == s.Max:
		return fmt.Sprintf(verb, s.Median) + unit
	}
	return fmt.Sprintf(verb+"%s ("+verb+".."+verb+")", s.Median, unit, s.Min, s.Max)
}

// over is a figure of a case's rounds in one mode.
func (c *Case) over(mode Mode, figure func(Measurement) float64) Spread {
	var values []float64
	for _, m := range c.Rounds[mode] {
		values = append(values, figure(m))
	}
	return SpreadOf(values)
}

// Figures of one measurement.

func appMicros(m Measurement) float64 {
	return float64(m.App.Nanoseconds()) / 1e3 / float64(m.Answered)
}

func collectorMicros(m Measurement) float64 {
	return float64(m.Collector.Nanoseconds()) / 1e3 / float64(m.Answered)
}

func bothMicros(m Measurement) float64 { return appMicros(m) + collectorMicros(m) }

func throughput(m Measurement) float64 { return float64(m.Answered) / m.Elapsed.Seconds() }

func heldPercent(m Measurement) float64 { return 100 * float64(m.Sent) / float64(m.Due) }

func arrivedPercent(m Measurement) float64 { return 100 * float64(m.Spans) / float64(m.Sent) }

func p50Millis(m Measurement) float64 { return m.P50.Seconds() * 1e3 }

func p99Millis(m Measurement) float64 { return m.P99.Seconds() * 1e3 }

func lagMillis(m Measurement) float64 { return m.LagP99.Seconds() * 1e3 }

func rssMegabytes(m Measurement) float64 { return float64(m.CollectorRSS) / 1e6 }

func bpfMegabytes(m Measurement) float64 { return float64(m.BPFMemory) / 1e6 }
