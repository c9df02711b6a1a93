package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Markdown writes the run as a section of a page.
func (r *Run) Markdown() string {
	var b strings.Builder
	r.writeChecks(&b)
	fmt.Fprintf(&b, "### At %s requests a second\n\n", thousands(r.Settings.Rate))
	r.writeAtARate(&b, Fixed, ofRequests)
	r.writeNotHeld(&b, Fixed)
	r.writeSaturated(&b)
	r.writeHTTP2(&b)
	r.writeArrival(&b)
	r.writeChurn(&b)
	r.writeAtOnce(&b)
	r.writeCalls(&b)
	r.writeInspected(&b)
	r.writeFootprint(&b)
	r.Hits.write(&b, ofRequests)
	r.CallHits.write(&b, ofCalls)
	r.Context.write(&b)
	r.writeConditions(&b)
	return b.String()
}

func (r *Run) writeChecks(b *strings.Builder) {
	b.WriteString("### Targets\n\n")
	t := table{head: []string{"target", "measured", ""}}
	for _, check := range r.Checks() {
		t.add(check.Target, check.Measured, string(check.Outcome))
	}
	t.write(b)
}

// writeAtARate writes what an open loop showed, if it was measured.
func (r *Run) writeAtARate(b *strings.Builder, mode Mode, of words) {
	t := table{head: []string{"", "app CPU a " + of.each, "collector CPU a " + of.each, "p50", "p99", "sent late by (p99)", "spans that arrived"}, numbers: true}
	r.each(mode, func(c *Case) {
		t.add(c.Title,
			c.over(mode, appMicros).format("%.1f", " µs"),
			c.ifTraced(c.over(mode, collectorMicros).format("%.1f", " µs")),
			c.over(mode, p50Millis).format("%.2f", " ms"),
			c.over(mode, p99Millis).format("%.2f", " ms"),
			c.over(mode, lagMillis).format("%.2f", " ms"),
			c.ifTraced(arrived(c.over(mode, arrivedPercent))))
	})
	t.write(b)
	r.writeAdded(b, mode, of)
}

func (r *Run) writeHTTP2(b *strings.Builder) {
	if !r.measured(HTTP2) {
		return
	}
	s := r.Settings
	fmt.Fprintf(b, "### HTTP/2 at %s requests a second\n\nWithout TLS, over %d connections with up to %d requests at a time on each.\n\n",
		thousands(s.HTTP2Rate), s.HTTP2Connections, s.Streams)
	r.writeAtARate(b, HTTP2, ofRequests)
	r.writeNotHeld(b, HTTP2)
}

// writeNotHeld tells which cases could not hold the rate of a mode.
func (r *Run) writeNotHeld(b *strings.Builder, mode Mode) {
	for i := range r.Cases {
		if held := r.Cases[i].over(mode, heldPercent); held.N > 0 && held.Min < minHeldPercent {
			fmt.Fprintf(b, "Not comparable: %s held only %.1f %% of the rate.\n\n", r.Cases[i].Title, held.Min)
		}
	}
}

func (r *Run) writeArrival(b *strings.Builder) {
	fmt.Fprintf(b, "### At %s requests a second: does every span arrive?\n\n", thousands(r.Settings.ArrivalRate))
	t := table{head: []string{"", "rate that was held", "requests", "spans", "lost, by the receiver's count", "app CPU a request", "collector CPU a request", "p50", "p99", "sent late by (p99)"}, numbers: true}
	r.each(Arrival, func(c *Case) {
		var sent, spans int
		lost := map[string]int{} // the receiver's; an SDK does not say what it dropped
		for _, m := range c.Rounds[Arrival] {
			sent, spans = sent+m.Sent, spans+m.Spans
			for reason, n := range m.Lost {
				lost[reason] += n
			}
		}
		losses := "–"
		if c.Key == Probed {
			losses = reasons(lost)
		}
		t.add(c.Title,
			c.over(Arrival, heldPercent).format("%.1f", " %"),
			thousands(float64(sent)),
			c.ifTraced(thousands(float64(spans))),
			losses,
			c.over(Arrival, appMicros).format("%.1f", " µs"),
			c.ifTraced(c.over(Arrival, collectorMicros).format("%.1f", " µs")),
			c.over(Arrival, p50Millis).format("%.2f", " ms"),
			c.over(Arrival, p99Millis).format("%.2f", " ms"),
			c.over(Arrival, lagMillis).format("%.2f", " ms"))
	})
	t.write(b)
	r.writeAdded(b, Arrival, ofRequests)
	r.writeNotHeld(b, Arrival)
}

func (r *Run) writeSaturated(b *strings.Builder) {
	b.WriteString("### Saturated\n\n")
	t := table{head: []string{"", "requests/s", "app CPU a request", "collector CPU a request", "p50", "p99", "spans that arrived"}, numbers: true}
	r.each(Saturated, func(c *Case) {
		t.add(c.Title,
			c.over(Saturated, throughput).format("%.0f", ""),
			c.over(Saturated, appMicros).format("%.1f", " µs"),
			c.ifTraced(c.over(Saturated, collectorMicros).format("%.1f", " µs")),
			c.over(Saturated, p50Millis).format("%.2f", " ms"),
			c.over(Saturated, p99Millis).format("%.2f", " ms"),
			c.ifTraced(arrived(c.over(Saturated, arrivedPercent))))
	})
	t.write(b)
	r.writeAdded(b, Saturated, ofRequests)
}

// writeAdded writes what tracing adds to the bare program, in ratios within each round.
func (r *Run) writeAdded(b *strings.Builder, mode Mode, of words) {
	t := table{head: []string{"added to the bare " + of.program, "app CPU a " + of.each, "of the bare " + of.program + "'s", "app and collector"}, numbers: true}
	for _, key := range []string{ByHand, Probed, Bystander} {
		added := func(figure func(Measurement) float64) Spread {
			return r.perRound(mode, func(in map[string]Measurement) float64 {
				return figure(in[key]) - appMicros(in[Bare])
			}, Bare, key)
		}
		share := r.perRound(mode, func(in map[string]Measurement) float64 {
			return 100 * (appMicros(in[key])/appMicros(in[Bare]) - 1)
		}, Bare, key)
		if share.N == 0 {
			continue
		}
		both := "–" // what the collector does is for the traced process
		if key != Bystander {
			both = added(bothMicros).format("%+.1f", " µs")
		}
		t.add(r.find(key).Title, added(appMicros).format("%+.1f", " µs"), share.format("%+.0f", " %"), both)
	}
	t.write(b)
}

func (r *Run) title(key string) string {
	if c := r.find(key); c != nil {
		return c.Title
	}
	return "the server"
}

// measured tells whether any case was measured in a mode.
func (r *Run) measured(mode Mode) bool {
	return slices.ContainsFunc(r.Cases, func(c Case) bool { return len(c.Rounds[mode]) > 0 })
}

// each visits the cases that were measured in a mode.
func (r *Run) each(mode Mode, visit func(*Case)) {
	for i := range r.Cases {
		if len(r.Cases[i].Rounds[mode]) > 0 {
			visit(&r.Cases[i])
		}
	}
}

func (c *Case) ifTraced(cell string) string {
	if !c.Traced {
		return "–"
	}
	return cell
}

// arrived does not round a loss away.
func arrived(s Spread) string {
	if s.Min == 100 && s.Max == 100 {
		return "100 %"
	}
	return s.format("%.3f", " %")
}

func reasons(lost map[string]int) string {
	var list []string
	for _, reason := range slices.Sorted(maps.Keys(lost)) {
		if lost[reason] > 0 {
			list = append(list, fmt.Sprintf("%s %s", thousands(float64(lost[reason])), reason))
		}
	}
	return cmp.Or(strings.Join(list, ", "), "0")
}

// thousands writes a whole number in groups of three digits.
func thousands(v float64) string {
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
