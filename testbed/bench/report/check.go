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
	Unmet Outcome = "not shown" // what it needs was not measured, or not under its conditions
)

// Check is one target, and what was measured.
type Check struct {
	Target   string
	Measured string
	Outcome  Outcome
}

// The targets.
const (
	maxAppOverhead   = 0.25 // of the bare handler's CPU
	maxShareOfByHand = 0.25 // of what instrumentation by hand adds to app and collector
	maxBPFMegabytes  = 40
	minHeldPercent   = 99 // of a rate, else it was not that rate
	maxAtOnce        = 2 * time.Second
)

// Checks compares the run with the targets. Ratios are made within each round,
// of cases that ran one after the other; their median decides.
func (r *Run) Checks() []Check {
	checks := []Check{}
	for _, mode := range []struct {
		Mode
		words string
	}{
		{Fixed, fmt.Sprintf("at %s requests/s", thousands(r.Settings.Rate))},
		{Arrival, fmt.Sprintf("at %s requests/s", thousands(r.Settings.ArrivalRate))},
		{Saturated, "saturated"},
	} {
		checks = append(checks, r.checkAppOverhead(mode.Mode, mode.words), r.checkAgainstByHand(mode.Mode, mode.words))
	}
	return append(checks, r.checkMemory(), r.checkArrival(), r.checkShortLived(), r.checkAtOnce(), r.checkInspection())
}

// AllPass tells whether every target was met.
func AllPass(checks []Check) bool {
	return !slices.ContainsFunc(checks, func(c Check) bool { return c.Outcome != Pass })
}

func (r *Run) checkAppOverhead(mode Mode, words string) Check {
	c := Check{Target: fmt.Sprintf("tracing adds at most %.0f %% to the app's CPU a request, %s", maxAppOverhead*100, words)}
	ratio := r.perRound(mode, func(in map[string]Measurement) float64 {
		return appMicros(in[Probed])/appMicros(in[Bare]) - 1
	}, Bare, Probed)
	return r.ifHeld(mode, c.atMost(ratio, maxAppOverhead), Bare, Probed)
}

func (r *Run) checkAgainstByHand(mode Mode, words string) Check {
	c := Check{Target: fmt.Sprintf("app and collector together: at most %.0f %% of what instrumenting by hand adds, %s", maxShareOfByHand*100, words)}
	ratio := r.perRound(mode, func(in map[string]Measurement) float64 {
		bare := appMicros(in[Bare])
		return (bothMicros(in[Probed]) - bare) / (bothMicros(in[ByHand]) - bare)
	}, Bare, ByHand, Probed)
	return r.ifHeld(mode, c.atMost(ratio, maxShareOfByHand), Bare, ByHand, Probed)
}

func (c Check) atMost(ratio Spread, limit float64) Check {
	if ratio.N == 0 {
		c.Measured, c.Outcome = "what it needs was not measured", Unmet
		return c
	}
	percent := Spread{Median: 100 * ratio.Median, Min: 100 * ratio.Min, Max: 100 * ratio.Max, N: ratio.N}
	c.Measured, c.Outcome = percent.format("%.1f", " %"), Fail
	if ratio.Median <= limit {
		c.Outcome = Pass
	}
	return c
}

// ifHeld takes a verdict back if some case could not hold a fixed rate: the
// others then served more.
func (r *Run) ifHeld(mode Mode, c Check, keys ...string) Check {
	if mode == Saturated || c.Outcome == Unmet {
		return c
	}
	for _, key := range keys {
		if held := r.find(key).over(mode, heldPercent); held.Min < minHeldPercent {
			c.Outcome = Unmet
			c.Measured += fmt.Sprintf("; but %s held only %.1f %% of the rate", r.title(key), held.Min)
		}
	}
	return c
}

func (r *Run) checkMemory() Check {
	c := Check{Target: fmt.Sprintf("at most %d MB of BPF memory on 2 CPUs", maxBPFMegabytes)}
	probed := r.find(Probed)
	if probed == nil {
		return c.atMost(Spread{}, 0)
	}
	memory := probed.over(Fixed, bpfMegabytes)
	c.Measured = fmt.Sprintf("%s, with %d possible CPUs", memory.format("%.1f", " MB"), r.Machine.PossibleCPUs)
	switch {
	case memory.N == 0 || memory.Max == 0:
		c.Measured, c.Outcome = "no BPF object was found in the collector", Unmet
	case memory.Max <= maxBPFMegabytes:
		c.Outcome = Pass // with more CPUs the more so
	case r.Machine.PossibleCPUs > 2:
		c.Outcome = Unmet
	default:
		c.Outcome = Fail
	}
	return c
}

// checkArrival wants every round without loss: a median hides a lost span.
func (r *Run) checkArrival() Check {
	c := Check{Target: fmt.Sprintf("every span arrives at %s requests/s", thousands(r.Settings.ArrivalRate))}
	probed := r.find(Probed)
	if probed == nil || len(probed.Rounds[Arrival]) == 0 {
		return c.atMost(Spread{}, 0)
	}
	var sent, spans, due int
	c.Outcome = Pass
	for _, m := range probed.Rounds[Arrival] {
		sent, spans, due = sent+m.Sent, spans+m.Spans, due+m.Due
		switch {
		case m.Spans != m.Sent:
			c.Outcome = Fail
		case heldPercent(m) < minHeldPercent && c.Outcome == Pass:
			c.Outcome = Unmet
		}
	}
	c.Measured = fmt.Sprintf("%s spans of %s requests", thousands(float64(spans)), thousands(float64(sent)))
	if due > 0 && 100*float64(sent)/float64(due) < minHeldPercent {
		c.Measured += fmt.Sprintf("; only %.1f %% of the rate could be sent", 100*float64(sent)/float64(due))
	}
	return c
}

// checkShortLived wants every request, like checkArrival.
func (r *Run) checkShortLived() Check {
	c := Check{Target: "every request to a short-lived process has its span, if its binary was seen before"}
	probed := r.find(Probed)
	if probed == nil || len(probed.Rounds[Churn]) == 0 {
		return c.atMost(Spread{}, 0)
	}
	c.Outcome = Pass
	for _, m := range probed.Rounds[Churn] {
		if m.Short.Spans != m.Short.Requests {
			c.Outcome = Fail
		}
	}
	short := probed.short()
	c.Measured = fmt.Sprintf("%s spans of %s requests to %s processes", thousands(float64(short.Spans)), thousands(float64(short.Requests)), thousands(float64(short.Processes)))
	return c
}

// checkAtOnce wants no round to take longer.
func (r *Run) checkAtOnce() Check {
	c := Check{Target: fmt.Sprintf("processes that start at once are all traced within %.0f s", maxAtOnce.Seconds())}
	took := r.overAtOnce(func(a AtOnce) time.Duration { return a.Traced })
	if took.N == 0 {
		return c.atMost(Spread{}, 0)
	}
	c.Measured, c.Outcome = fmt.Sprintf("%s, of %d processes", took.format("%.2f", " s"), r.AtOnce[0].Processes), Pass
	complete := !slices.ContainsFunc(r.AtOnce, func(a AtOnce) bool { return a.Spans != a.Requests })
	if took.Max > maxAtOnce.Seconds() || !complete {
		c.Outcome = Fail
	}
	return c
}

// perRound makes one number of each round in which all of the cases ran.
func (r *Run) perRound(mode Mode, ratio func(map[string]Measurement) float64, keys ...string) Spread {
	var values []float64
	for round := range r.Settings.Rounds {
		in := map[string]Measurement{}
		for _, key := range keys {
			if c := r.find(key); c != nil && round < len(c.Rounds[mode]) {
				in[key] = c.Rounds[mode][round]
			}
		}
		if len(in) == len(keys) {
			values = append(values, ratio(in))
		}
	}
	return SpreadOf(values)
}

func (r *Run) find(key string) *Case {
	for i := range r.Cases {
		if r.Cases[i].Key == key {
			return &r.Cases[i]
		}
	}
	return nil
}
