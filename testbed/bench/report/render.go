package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Markdown writes the run as a section of a page.
func (r *Run) Markdown() string {
	var b strings.Builder
	r.writeChecks(&b)
	r.writeFixed(&b)
	r.writeSaturated(&b)
	r.writeArrival(&b)
	r.writeFootprint(&b)
	r.writeProbes(&b)
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

func (r *Run) writeFixed(b *strings.Builder) {
	fmt.Fprintf(b, "### At %s requests a second\n\n", thousands(r.Settings.Rate))
	t := table{head: []string{"", "app CPU a request", "collector CPU a request", "p50", "p99", "sent late by (p99)", "spans that arrived"}, numbers: true}
	r.each(Fixed, func(c *Case) {
		t.add(c.Title,
			c.over(Fixed, appMicros).format("%.1f", " µs"),
			c.ifTraced(c.over(Fixed, collectorMicros).format("%.1f", " µs")),
			c.over(Fixed, p50Millis).format("%.2f", " ms"),
			c.over(Fixed, p99Millis).format("%.2f", " ms"),
			c.over(Fixed, lagMillis).format("%.2f", " ms"),
			c.ifTraced(arrived(c.over(Fixed, arrivedPercent))))
	})
	t.write(b)
	r.writeAdded(b, Fixed)
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
	r.writeAdded(b, Saturated)
}

// writeAdded writes what tracing adds to the bare server, in ratios within each round.
func (r *Run) writeAdded(b *strings.Builder, mode Mode) {
	t := table{head: []string{"added to the bare server", "app CPU a request", "of the bare server's", "app and collector"}, numbers: true}
	for _, key := range []string{ByHand, Probed} {
		added := func(figure func(Measurement) float64) Spread {
			return r.perRound(mode, func(in map[string]Measurement) float64 {
				return figure(in[key]) - appMicros(in[Bare])
			}, Bare, key)
		}
		share := r.perRound(mode, func(in map[string]Measurement) float64 {
			return 100 * (appMicros(in[key])/appMicros(in[Bare]) - 1)
		}, Bare, key)
		if share.N > 0 {
			t.add(r.find(key).Title, added(appMicros).format("%+.1f", " µs"), share.format("%+.0f", " %"), added(bothMicros).format("%+.1f", " µs"))
		}
	}
	t.write(b)
}

func (r *Run) writeArrival(b *strings.Builder) {
	fmt.Fprintf(b, "### At %s requests a second: does every span arrive?\n\n", thousands(r.Settings.ArrivalRate))
	t := table{head: []string{"", "rate that was held", "requests", "spans", "lost, by the receiver's count", "p50", "p99", "sent late by (p99)"}, numbers: true}
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
			c.over(Arrival, p50Millis).format("%.2f", " ms"),
			c.over(Arrival, p99Millis).format("%.2f", " ms"),
			c.over(Arrival, lagMillis).format("%.2f", " ms"))
	})
	t.write(b)
}

func (r *Run) writeFootprint(b *strings.Builder) {
	b.WriteString("### Memory of the collector\n\n")
	t := table{head: []string{"", "resident, after the fixed load", "after the saturated load", "BPF maps and programs"}, numbers: true}
	r.each(Fixed, func(c *Case) {
		if !c.Traced {
			return
		}
		bpf := "–"
		if spread := c.over(Fixed, bpfMegabytes); spread.Max > 0 {
			bpf = spread.format("%.1f", " MB")
		}
		t.add(c.Title, c.over(Fixed, rssMegabytes).format("%.0f", " MB"), c.over(Saturated, rssMegabytes).format("%.0f", " MB"), bpf)
	})
	t.write(b)
	if r.find(Probed) != nil {
		fmt.Fprintf(b, "BPF memory is what the kernel says of each map and program (`memlock` in fdinfo). Per-CPU maps have room for\nevery possible CPU: %d here.\n\n", r.Machine.PossibleCPUs)
	}
}

func (r *Run) writeProbes(b *strings.Builder) {
	if len(r.Probes) == 0 {
		return
	}
	b.WriteString("### Probe hits a request\n\nFrom a short load of its own, since the kernel's counting costs time too.\n\n")
	t := table{head: []string{"program", "on", "sites", "class", "hits a request", "time a hit in the program"}}
	byClass := map[string]float64{}
	for _, p := range r.Probes {
		on, class := strings.Join(p.Symbols, ", "), p.Class
		if class == "" {
			on, class = "–", "tracepoint"
		}
		byClass[class] += p.Hits
		took := "–"
		if p.Hits > 0 {
			took = fmt.Sprintf("%d ns", p.Time.Nanoseconds())
		}
		t.add("`"+p.Program+"`", on, strconv.Itoa(p.Sites), class, fmt.Sprintf("%.4f", p.Hits), took)
	}
	t.write(b)
	var sums []string
	for _, class := range slices.Sorted(maps.Keys(byClass)) {
		sums = append(sums, fmt.Sprintf("%s %.3f", class, byClass[class]))
	}
	fmt.Fprintf(b, "By class: %s.\n\n", strings.Join(sums, ", "))
}

func (r *Run) writeConditions(b *strings.Builder) {
	m, s := r.Machine, r.Settings
	virtual := m.Virtualization
	if virtual == "" {
		virtual = "none"
	}
	rate := "given"
	if s.RateFound {
		rate = "found in the run: " + r.title(ByHand) + " keeps up with it"
	}
	b.WriteString("### Conditions\n\n")
	t := table{head: []string{"", ""}}
	t.add("date", s.Date.Format(time.DateOnly))
	t.add("CPU", fmt.Sprintf("%s, %s, %d CPUs (%d possible)", m.CPU, m.Arch, m.CPUs, m.PossibleCPUs))
	t.add("virtualization", virtual)
	t.add("memory", fmt.Sprintf("%.1f GB", float64(m.Memory)/1e9))
	t.add("kernel", m.Kernel)
	t.add("Go", strings.TrimPrefix(m.Go, "go"))
	t.add("rounds", fmt.Sprintf("%d, %v for each load, %d connections; the order of the cases changes with each round", s.Rounds, s.Duration, s.Connections))
	t.add("fixed rate", fmt.Sprintf("%s requests/s, %s", thousands(s.Rate), rate))
	share := func(figure func(Measurement) float64) string {
		var values []float64
		for i := range r.Cases {
			for _, rounds := range r.Cases[i].Rounds {
				for _, m := range rounds {
					values = append(values, 100*figure(m))
				}
			}
		}
		return SpreadOf(values).format("%.1f", " %")
	}
	t.add("CPU taken by other programs", share(func(m Measurement) float64 { return m.Others })+" of the machine")
	t.add("CPU stolen by the hypervisor", share(func(m Measurement) float64 { return m.Stolen })+" of the machine")
	t.write(b)
}

func (r *Run) title(key string) string {
	if c := r.find(key); c != nil {
		return c.Title
	}
	return "the server"
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
