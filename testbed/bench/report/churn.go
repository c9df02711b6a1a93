package report

import (
	"fmt"
	"strings"
	"time"
)

// writeChurn writes what a server, and processes that come and go beside it, have
// to do with each other.
func (r *Run) writeChurn(b *strings.Builder) {
	if !r.measured(Churn) {
		return
	}
	s := r.Settings
	fmt.Fprintf(b, "### While processes come and go\n\nThe load of %s requests a second on one server. Beside it a process starts every %v, %.0f a minute, of %d binaries in\nturn; each answers %d requests as soon as it listens, and ends.\n\n",
		thousands(s.Rate), s.ChurnInterval, time.Minute.Seconds()/s.ChurnInterval.Seconds(), s.Copies, s.RequestsOfShort)
	t := table{head: []string{"", "processes that come and go", "app CPU a request", "p50", "p99", "sent late by (p99)", "spans that arrived"}, numbers: true}
	for _, mode := range []Mode{Calm, Churn} {
		r.each(mode, func(c *Case) {
			beside := "none"
			if mode == Churn {
				beside = thousands(float64(c.short().Processes))
			}
			t.add(c.Title, beside,
				c.over(mode, appMicros).format("%.1f", " µs"),
				c.over(mode, p50Millis).format("%.2f", " ms"),
				c.over(mode, p99Millis).format("%.2f", " ms"),
				c.over(mode, lagMillis).format("%.2f", " ms"),
				c.ifTraced(arrived(c.over(mode, arrivedPercent))))
		})
	}
	t.write(b)
	r.writeShort(b)
}

// writeShort writes what became of the requests to the short-lived processes.
func (r *Run) writeShort(b *strings.Builder) {
	probed := r.find(Probed)
	if probed == nil || len(probed.Rounds[Churn]) == 0 {
		return
	}
	t := table{head: []string{"short-lived processes", "processes", "requests", "spans", "requests without a span"}, numbers: true}
	row := func(title string, s ShortLived) {
		number := func(n int) string { return thousands(float64(n)) }
		t.add(title, number(s.Processes), number(s.Requests), number(s.Spans), number(s.Requests-s.Spans))
	}
	row("the first of their binary", sum(r.Unseen))
	row("of a binary that was seen before", probed.short())
	t.write(b)
	lost := map[string]int{}
	for _, m := range probed.Rounds[Churn] {
		for reason, n := range m.Lost {
			lost[reason] += n
		}
	}
	fmt.Fprintf(b, "A process whose binary nobody has run before is not traced until the binary was looked at. Lost while processes came and\nwent, by the receiver's count: %s.\n\n", reasons(lost))
}

func (r *Run) writeAtOnce(b *strings.Builder) {
	if len(r.AtOnce) == 0 {
		return
	}
	fmt.Fprintf(b, "### %d processes that start at once\n\nOf %d binaries that nobody has run before. Times are from the first one's start; then each gets one request.\n\n", r.AtOnce[0].Processes, r.Settings.Copies)
	var requests, spans int
	for _, a := range r.AtOnce {
		requests, spans = requests+a.Requests, spans+a.Spans
	}
	t := table{head: []string{"all serve after", "all are traced after", "requests", "spans"}}
	t.add(r.overAtOnce(func(a AtOnce) time.Duration { return a.Serving }).format("%.2f", " s"),
		r.overAtOnce(func(a AtOnce) time.Duration { return a.Traced }).format("%.2f", " s"),
		thousands(float64(requests)), thousands(float64(spans)))
	t.write(b)
}

func (r *Run) overAtOnce(figure func(AtOnce) time.Duration) Spread {
	var values []float64
	for _, a := range r.AtOnce {
		values = append(values, figure(a).Seconds())
	}
	return SpreadOf(values)
}

// short are the short-lived processes of all rounds.
func (c *Case) short() ShortLived {
	var all []ShortLived
	for _, m := range c.Rounds[Churn] {
		all = append(all, m.Short)
	}
	return sum(all)
}

func sum(all []ShortLived) (s ShortLived) {
	for _, one := range all {
		s.Processes, s.Requests, s.Spans = s.Processes+one.Processes, s.Requests+one.Requests, s.Spans+one.Spans
	}
	return s
}
