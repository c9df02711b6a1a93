package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spanprobe/spanprobe/testbed/demo/waterfall"
)

// tableRow is all spans of one name.
type tableRow struct {
	comparison
	statuses []string
}

// writeTable compares the spans that are due with those that arrived.
func (j *journey) writeTable(w io.Writer, width int) {
	var rows []*tableRow
	total := &tableRow{}
	for _, c := range j.compare() {
		name := outcome{c.service, c.kind, c.name, ""}
		if len(rows) == 0 || rows[len(rows)-1].outcome != name {
			rows = append(rows, &tableRow{comparison: comparison{outcome: name}})
		}
		row := rows[len(rows)-1]
		row.statuses = append(row.statuses, c.status)
		for _, r := range []*tableRow{row, total} {
			r.due += c.due
			r.spans += c.spans
		}
	}

	const layout = "  %-10s %-6s %-27s %5v %5v %s"
	line := func(cells ...any) {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf(layout, cells...), " "))
	}
	room := width - len(fmt.Sprintf(layout, "", "", "", "", "", "")) // of the last column
	fmt.Fprintln(w, "  due: spans that the requests must give; spans: those that Jaeger has")
	line("service", "kind", "span", "due", "spans", "status")
	for i, row := range rows {
		service := row.service
		if i > 0 && rows[i-1].service == service {
			service = ""
		}
		statuses := waterfall.Fold(row.statuses, " ", room)
		line(service, row.kind, row.name, row.due, row.spans, statuses[0])
		for _, more := range statuses[1:] {
			line("", "", "", "", "", more)
		}
	}
	line("", "", "", total.due, total.spans, "")
}

// extent says how much is in the trace of the drawn request.
func (j *journey) extent() string {
	return fmt.Sprintf("  This trace holds all %d spans that the request led to.",
		j.trace.SpanCount())
}
