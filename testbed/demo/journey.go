package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spanprobe/spanprobe/testbed/harness/spans"
)

// journey is the traffic on its way: sent to the shop, and looked for in Jaeger.
type journey struct {
	shop   *shop
	jaeger *jaeger

	began     time.Time // spans that started before are of the wait for tracing
	exchanges []exchange
	spans     map[outcome]int // that Jaeger has of all services
	trace     []spans.Span    // of the last exchange
}

// send makes the calls. It answers as a step.
func (j *journey) send(ctx context.Context) (string, error) {
	all := readTraffic().Calls
	j.began = time.Now()
	for i, c := range all {
		e, err := c.make(ctx, j.shop.url(), i == len(all)-1)
		if err != nil {
			return "", j.shop.service(entry).process.Explain(err)
		}
		j.exchanges = append(j.exchanges, e)
	}
	return fmt.Sprintf("%d requests, in", len(all)), nil
}

func (j *journey) last() exchange { return j.exchanges[len(j.exchanges)-1] }

// look reads from Jaeger the spans that are there now. It fails with those that are missing or
// wrong.
func (j *journey) look(ctx context.Context) error {
	j.spans, j.trace = map[outcome]int{}, nil
	for _, service := range j.shop.services {
		found, err := j.jaeger.find(ctx, service.name, j.began)
		if err != nil {
			return fmt.Errorf("spans of the service %s: %w", service.name, err)
		}
		for _, span := range found {
			// Spans of other services, which the traces may hold too, are counted with theirs.
			o := outcomeOf(span)
			if o.service == service.name && !span.StartTimestamp().AsTime().Before(j.began) {
				j.spans[o]++
			}
			if service.name == entry && span.TraceID() == j.last().trace {
				j.trace = append(j.trace, span)
			}
		}
	}
	if due := len(j.last().outcomes()); len(j.trace) != due {
		return fmt.Errorf("the trace %s holds %d spans, not the %d that the request led to: %w",
			j.last().trace, len(j.trace), due, j.unequal())
	}
	return j.unequal()
}

// comparison is how many spans of an outcome are due, and how many came.
type comparison struct {
	outcome
	due, spans int
}

// compare lists all outcomes: those of a service after those of its callers, and what it serves
// before what it calls.
func (j *journey) compare() []comparison {
	all := map[outcome]comparison{}
	for o, n := range j.spans {
		all[o] = comparison{o, 0, n}
	}
	for _, e := range j.exchanges {
		for _, o := range e.outcomes() {
			all[o] = comparison{o, all[o].due + 1, j.spans[o]}
		}
	}
	place := func(name string) int { // services are listed after those that they call
		return -slices.IndexFunc(j.shop.services, func(s *service) bool { return s.name == name })
	}
	return slices.SortedFunc(maps.Values(all), func(a, b comparison) int {
		return cmp.Or(
			cmp.Compare(place(a.service), place(b.service)),
			cmp.Compare(a.kind, b.kind), // in OTLP, SERVER is 2 and CLIENT is 3
			cmp.Compare(a.name, b.name),
			cmp.Compare(a.status, b.status),
		)
	})
}

// unequal says where the spans are not those that are due.
func (j *journey) unequal() error {
	var errs []error
	for _, c := range j.compare() {
		if c.due != c.spans {
			errs = append(errs, fmt.Errorf("%s: %d due, %d spans", c.outcome, c.due, c.spans))
		}
	}
	return errors.Join(errs...)
}

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
