package report

import (
	"fmt"
	"slices"
	"time"
)

// Outcome is what a check has come to.
type Outcome string

// The outcomes.
const (
	Pass  Outcome = "pass"
	Fail  Outcome = "FAIL"
	Unmet Outcome = "not shown" // not under its conditions
)

// Check is one target, and what was measured.
type Check struct {
	Target   string
	Measured string
	Outcome  Outcome
}

// The targets.
const (
	maxAppOverhead   = 25 // % of the bare handler's CPU
	maxShareOfByHand = 25 // % of what instrumentation by hand adds to app and collector
	maxBPFMegabytes  = 40
	minHeldPercent   = 99 // of a rate, else it was not that rate
	maxAtOnce        = 2 * time.Second

	// An inspection may take this, of a binary of largeBinary bytes or less.
	maxInspection  = 300 * time.Millisecond
	maxInspectedMB = 50
	largeBinary    = 130e6
	inspectedLarge = 100e6 // the largest of those that count has at least so many
	manyFunctions  = 200_000
)

// ratio is a target for what tracing costs, in percent.
type ratio struct {
	target string // with places for the limit and for the load
	limit  float64
	of     func(in []Measurement) float64 // of the cases of the keys
	keys   []string
}

var ratios = []ratio{
	{
		"tracing adds at most %.0f %% to the app's CPU a request, %s", maxAppOverhead,
		func(in []Measurement) float64 { return 100 * addedShare(in[0], in[1]) },
		[]string{Bare, Probed},
	},
	{
		"app and collector together: at most %.0f %% of what instrumenting by hand adds, %s",
		maxShareOfByHand,
		func(in []Measurement) float64 {
			bare := appMicros(in[0])
			return 100 * (bothMicros(in[2]) - bare) / (bothMicros(in[1]) - bare)
		},
		[]string{Bare, ByHand, Probed},
	},
}

// Checks compares the run with the targets. Ratios are made within each round,
// of cases that ran one after the other; their median decides.
func (r *Run) Checks() (checks []Check) {
	for _, mode := range []Mode{Fixed, Arrival, Saturated} {
		words := "saturated"
		if mode != Saturated {
			words = fmt.Sprintf("at %s requests/s", thousands(r.Settings.Rates[mode]))
		}
		for _, ratio := range ratios {
			checks = append(checks, r.checkRatio(mode, words, ratio))
		}
	}
	return append(checks, r.checkMemory(), r.checkArrival(), r.checkShortLived(), r.checkAtOnce(),
		r.checkInspection())
}

// judge says what a check has come to. A target is not shown if its conditions did not come about.
func judge(target string, shown, ok bool, measured string) Check {
	switch {
	case !shown:
		return Check{target, measured, Unmet}
	case ok:
		return Check{target, measured, Pass}
	}
	return Check{target, measured, Fail}
}

// checkRatio gives no verdict if some case could not hold a fixed rate: the others then served
// more.
func (r *Run) checkRatio(mode Mode, words string, wanted ratio) Check {
	percent := r.perRound(mode, wanted.of, wanted.keys...)
	measured, shown := percent.format("%.1f", " %"), true
	for _, key := range wanted.keys {
		held := over(r.rounds(key, mode), heldPercent).Min
		if held < minHeldPercent && mode != Saturated {
			shown = false
			measured += fmt.Sprintf("; but %s held only %.1f %% of the rate",
				r.find(key).Title, held)
		}
	}
	return judge(fmt.Sprintf(wanted.target, wanted.limit, words), shown,
		percent.Median <= wanted.limit, measured)
}

// checkMemory gives no verdict on more than 2 CPUs if it is too much: maps grow with them.
func (r *Run) checkMemory() Check {
	memory := over(r.rounds(Probed, Fixed), bpfMegabytes)
	ok := memory.Max <= maxBPFMegabytes
	return judge(fmt.Sprintf("at most %d MB of BPF memory on 2 CPUs", maxBPFMegabytes),
		memory.N > 0 && (ok || r.Machine.PossibleCPUs <= 2), ok,
		fmt.Sprintf("%s, with %d possible CPUs",
			memory.format("%.1f", " MB"), r.Machine.PossibleCPUs))
}

// checkArrival wants every round without loss: a median hides a lost span.
func (r *Run) checkArrival() Check {
	rounds := r.rounds(Probed, Arrival)
	all := total(rounds)
	complete := !slices.ContainsFunc(rounds, func(m Measurement) bool { return m.Spans != m.Sent })
	measured := fmt.Sprintf("%s spans of %s requests", thousands(all.Spans), thousands(all.Sent))
	if held := heldPercent(all); held < minHeldPercent {
		measured += fmt.Sprintf("; only %.1f %% of the rate could be sent", held)
	}
	held := over(rounds, heldPercent).Min >= minHeldPercent
	rate := thousands(r.Settings.Rates[Arrival])
	return judge(fmt.Sprintf("every span arrives at %s requests/s", rate), held || !complete,
		complete, measured)
}

// checkShortLived wants every request, like checkArrival.
func (r *Run) checkShortLived() Check {
	rounds := r.rounds(Probed, Churn)
	short := total(rounds).Short
	return judge(
		"every request to a short-lived process has its span, if its binary was seen before", true,
		!slices.ContainsFunc(rounds, func(m Measurement) bool { return m.Short.Missing() != 0 }),
		fmt.Sprintf("%s spans of %s requests to %s processes",
			thousands(short.Spans), thousands(short.Requests), thousands(short.Processes)))
}

// checkAtOnce wants no round to take longer.
func (r *Run) checkAtOnce() Check {
	took := over(r.AtOnce, func(a AtOnce) float64 { return a.Traced.Seconds() })
	complete := !slices.ContainsFunc(r.AtOnce, func(a AtOnce) bool { return a.Missing() != 0 })
	const target = "processes that start at once are all traced within %.0f s"
	return judge(fmt.Sprintf(target, maxAtOnce.Seconds()), true,
		complete && took.Max <= maxAtOnce.Seconds(),
		fmt.Sprintf("%s, of %d processes", took.format("%.2f", " s"), r.AtOnce[0].Processes))
}

// checkInspection wants it of every binary: the median over the rounds decides.
func (r *Run) checkInspection() Check {
	tooLarge := func(i Inspected) bool { return i.Size > largeBinary }
	small := slices.DeleteFunc(slices.Clone(r.Inspected), tooLarge)
	slowest := over(small, func(i Inspected) float64 { return i.took().Median }).Max
	memory := over(small, func(i Inspected) float64 { return float64(i.Memory) / 1e6 }).Max
	size := over(small, func(i Inspected) float64 { return float64(i.Size) }).Max
	functions := over(small, func(i Inspected) float64 { return float64(i.Functions) }).Max
	ok := slowest <= milliseconds(maxInspection) && memory <= maxInspectedMB
	return judge(
		fmt.Sprintf("a binary of 100 MB and %s functions is inspected and planned within %d ms "+
			"and %d MB", thousands(manyFunctions), maxInspection.Milliseconds(), maxInspectedMB),
		!ok || size >= inspectedLarge && functions >= manyFunctions, ok,
		fmt.Sprintf("at most %.0f ms and %.1f MB, of binaries of up to %.0f MB and %s functions",
			slowest, memory, size/1e6, thousands(functions)))
}
