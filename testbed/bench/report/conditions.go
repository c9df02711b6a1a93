package report

import (
	"fmt"
	"strings"
	"time"
)

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

func (r *Run) writeConditions(b *strings.Builder) {
	m, s := r.Machine, r.Settings
	virtual := m.Virtualization
	if virtual == "" {
		virtual = "none"
	}
	origin := func(found bool) string {
		if found {
			return "found in the run: " + r.title(ByHand) + " keeps up with it"
		}
		return "given"
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
	t.add("rounds with processes that come and go", fmt.Sprintf("%d, %v for each load", s.ChurnRounds, s.ChurnDuration))
	t.add("fixed rate", fmt.Sprintf("%s requests/s, %s", thousands(s.Rate), origin(s.RateFound)))
	t.add("fixed rate over HTTP/2", fmt.Sprintf("%s requests/s, %s", thousands(s.HTTP2Rate), origin(s.HTTP2RateFound)))
	if rates := r.callRates(); rates != "" {
		t.add("rounds of calls", fmt.Sprintf("%d, %v for each kind", s.CallRounds, s.Duration))
		t.add("fixed rates of calls", fmt.Sprintf("%s; %s", rates, origin(s.CallRateFound)))
	}
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

// callRates are those of the kinds of calls that were measured.
func (r *Run) callRates() string {
	var rates []string
	for _, kind := range kindsOfCalls {
		if r.measured(kind) {
			rates = append(rates, fmt.Sprintf("%s %s/s", kind, thousands(r.Settings.CallRates[kind])))
		}
	}
	return strings.Join(rates, "; ")
}
