package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// writeTable compares the spans that are due with those that arrived.
func (j *journey) writeTable(w io.Writer) {
	fmt.Fprintln(w, "  due: spans that the requests must give; spans: those that Jaeger has")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	due, came, service := 0, 0, ""
	fmt.Fprintln(table, "  service\tkind\tspan\tstatus\tdue\tspans")
	for _, c := range j.compare() {
		if c.service == service {
			c.service = ""
		} else {
			service = c.service
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%3d\t%5d\n",
			c.service, c.kind, c.name, c.status, c.due, c.spans)
		due, came = due+c.due, came+c.spans
	}
	fmt.Fprintf(table, "%s%3d\t%5d\n", "  "+strings.Repeat("\t", 4), due, came)
	table.Flush()
}

// extent says how much is in the trace of the drawn request.
func (j *journey) extent() string {
	return fmt.Sprintf("  This trace holds all %d spans that the request led to.", len(j.trace))
}
