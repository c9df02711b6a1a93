package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
)

// outcomes are those that are due, and those that came: a service after those
// that call it, and what it serves before what it calls.
func (j *journey) outcomes() []outcome {
	all := j.due()
	for o := range j.spans {
		all[o] += 0
	}
	order := j.shop.names()
	return slices.SortedFunc(maps.Keys(all), func(a, b outcome) int {
		return cmp.Or(
			cmp.Compare(slices.Index(order, a.service), slices.Index(order, b.service)),
			cmp.Compare(a.kind, b.kind), // in OTLP, SERVER is 2 and CLIENT is 3
			cmp.Compare(a.name, b.name),
			cmp.Compare(a.status, b.status),
		)
	})
}

// The table's columns, of which the last one takes what is left.
const (
	tableLayout = "  %-10s %-6s %-27s %5v %5v %s\n"
	tableNames  = 2 + 10 + 1 + 6 + 1 + 27
	tableMargin = tableNames + 1 + 5 + 1 + 5 + 1
)

// tableRow is all spans of one name.
type tableRow struct {
	outcome
	due, spans int
	statuses   []string
}

// writeTable compares the spans that are due with those that arrived.
func (j *journey) writeTable(w io.Writer, width int) {
	due := j.due()
	var rows []*tableRow
	total := &tableRow{}
	for _, o := range j.outcomes() {
		name := outcome{o.service, o.kind, o.name, ""}
		if len(rows) == 0 || rows[len(rows)-1].outcome != name {
			rows = append(rows, &tableRow{outcome: name})
		}
		row := rows[len(rows)-1]
		row.statuses = append(row.statuses, o.status)
		for _, r := range []*tableRow{row, total} {
			r.due += due[o]
			r.spans += j.spans[o]
		}
	}
	fmt.Fprintln(w, "  due: spans that the requests must give; spans: those that Jaeger has")
	fmt.Fprintf(w, tableLayout, "service", "kind", "span", "due", "spans", "status")
	for i, row := range rows {
		service := row.service
		if i > 0 && rows[i-1].service == service {
			service = ""
		}
		lines := fold(row.statuses, width-tableMargin)
		fmt.Fprintf(w, tableLayout, service, row.kind, row.name, row.due, row.spans, lines[0])
		for _, line := range lines[1:] {
			fmt.Fprintf(w, "%*s%s\n", tableMargin, "", line)
		}
	}
	fmt.Fprintf(w, "%*s %5v %5v\n", tableNames, "", total.due, total.spans)
}

// fold joins words to lines of a width, which only a longer word exceeds.
func fold(words []string, width int) []string {
	lines := []string{words[0]}
	for _, word := range words[1:] {
		if last := &lines[len(lines)-1]; len(*last)+1+len(word) <= width {
			*last += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// extent says how much is in the trace of the drawn request.
func (j *journey) extent() string {
	return fmt.Sprintf("  This trace holds all %d spans that the request led to.", j.trace.SpanCount())
}
