package soak

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/targets/soak/tally"
)

// figures are tables, in Markdown, of what came of the run.
func (s *soak) figures(stats engine.Stats) string {
	var b strings.Builder
	a := &s.account
	fmt.Fprintf(&b, "%v of calls in %d phases: %d processes, of which %d were killed\n\n",
		time.Duration(s.phases)*phaseTime, s.phases, 2*a.pairs, a.kills)
	b.WriteString(
		"| calls | made | that went well | spans | missing | cut off | served | that went well | spans | missing | cut off |\n",
	)
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|\n")
	var all classAccount
	for c := range tally.Classes {
		row(&b, c.String(), a.classes[c])
		all.client.sum(a.classes[c].client)
		all.server.sum(a.classes[c].server)
	}
	row(&b, "all", all)
	fmt.Fprintf(&b, "\n%d operations = %d emitted, of which %d are of the hostile process, "+
		"+ %d not sampled + %d discarded + %d in flight + %d lost",
		stats.Operations, stats.Emitted, a.hostile, stats.NotSampled, stats.Discarded,
		stats.Active, tracing.Lost(stats))
	for _, reason := range slices.Sorted(maps.Keys(stats.Lost)) {
		if n := stats.Lost[reason]; n != 0 {
			fmt.Fprintf(&b, " (%s: %d)", reason, n)
		}
	}
	fmt.Fprintf(
		&b, "\n%d probe hits, %d spans degraded, %d ends of connections not told, %d events lost\n",
		stats.ProbeHits, degraded(stats), stats.Degraded[engine.DegradedUnknownConnection],
		stats.EventsLost,
	)
	b.WriteString("\n| median | first fifth of the run | last fifth |\n|---|---|---|\n")
	for _, m := range measures(s.busy, s.rest) {
		first, last := m.trend()
		fmt.Fprintf(&b, "| %s | %d | %d |\n", m.what, first, last)
	}
	return b.String()
}

func row(b *strings.Builder, name string, class classAccount) {
	fmt.Fprintf(b, "| %s |", name)
	for _, s := range []side{class.client, class.server} {
		fmt.Fprintf(b, " %d | %d | %d | %d | %d |", s.calls, s.ok, s.spans, s.missing, s.cut)
	}
	b.WriteByte('\n')
}
