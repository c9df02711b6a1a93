// Package waterfall draws a trace in a terminal: a row for each span, with a bar that is scaled
// to the time of the trace.
package waterfall

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Options is how to draw.
type Options struct {
	Width int  // columns to draw in; less than MinWidth counts as MinWidth
	Color bool // with ANSI colours
}

// MinWidth is the fewest columns that a waterfall is drawn in.
const MinWidth = 72

const (
	maxService = 16
	maxName    = 34
	minBar     = 16
	timeWidth  = 9  // "123.45 ms"
	minStatus  = 9  // "503 error"
	maxStatus  = 11 // "UNAVAILABLE"
	gap        = "  "
)

// Draw writes a trace as a waterfall. It fails only as w does.
func Draw(w io.Writer, traces ptrace.Traces, options Options) error {
	out := bufio.NewWriter(w)
	if spans := rows(traces); len(spans) > 0 {
		newDrawing(out, spans, options).draw()
	} else {
		fmt.Fprintln(out, "an empty trace")
	}
	return out.Flush()
}

type drawing struct {
	out    *bufio.Writer
	rows   []*row
	colors map[string]int // escapes for the services, in the order in which they appear
	paint  palette
	start  time.Time
	length time.Duration // from the first start to the last end
	width  int
	// The columns' widths.
	service, name, bar, status int
}

func newDrawing(out *bufio.Writer, spans []*row, options Options) *drawing {
	d := &drawing{
		out: out, rows: spans, colors: map[string]int{}, paint: palette(options.Color),
		start: spans[0].start(), width: max(options.Width, MinWidth),
		service: len("service"), name: len("span"), status: minStatus,
	}
	for _, r := range spans {
		if r.start().Before(d.start) {
			d.start = r.start()
		}
		if _, known := d.colors[r.service()]; !known {
			d.colors[r.service()] = cyan - len(d.colors)%services
		}
		d.service = min(max(d.service, columns(r.service())), maxService)
		d.name = min(max(d.name, columns(r.label())), maxName)
		d.status = min(max(d.status, columns(r.outcome())), maxStatus)
	}
	for _, r := range spans {
		d.length = max(d.length, r.start().Sub(d.start)+r.duration())
	}
	d.bar = d.width - d.service - d.name - timeWidth - d.status - 4*len(gap)
	if d.bar < minBar {
		d.name -= minBar - d.bar
		d.bar = minBar
	}
	return d
}

func (d *drawing) draw() {
	length, paint := format(d.length), d.paint.paint
	fmt.Fprintf(d.out, "%s %s, %s, %s, %s\n\n", paint(bold, "trace"), d.rows[0].TraceID(),
		count(len(d.colors), "service"), count(len(d.rows), "span"), length)
	d.line(paint(dim, fit("service", d.service)), paint(dim, fit("span", d.name)),
		paint(dim, "0"+right(length, d.bar-1)), paint(dim, right("duration", timeWidth)),
		paint(dim, "status"))
	for _, r := range d.rows {
		color, outcome := d.colors[r.service()], cut(r.outcome(), d.status)
		service := paint(color, fit(r.service(), d.service))
		if r.Status().Code() == ptrace.StatusCodeError {
			color, outcome = red, paint(red, outcome)
		}
		d.line(service, fit(r.label(), d.name), paint(color, d.barOf(r)),
			right(format(r.duration()), timeWidth), outcome)
		d.details(r)
	}
}

func (d *drawing) line(cells ...string) {
	fmt.Fprintln(d.out, strings.TrimRight(strings.Join(cells, gap), " "))
}

// details writes the attributes of a span below it, over as many lines as it takes.
func (d *drawing) details(r *row) {
	// A deep tree must leave room to write in.
	margin := min(d.service+len(gap)+2*(r.depth+1), d.width/2)
	details := r.details()
	for i := range details {
		details[i] = cut(clean(details[i]), d.width-margin)
	}
	for _, line := range Fold(details, gap, d.width-margin) {
		fmt.Fprintf(d.out, "%*s%s\n", margin, "", d.paint.paint(dim, line))
	}
}

// eighths of a column, with which a bar ends between two columns.
var eighths = []rune("▏▎▍▌▋▊▉█")

// barOf draws the time of a span to the scale of the trace, to an eighth of a column at its end.
// No span is too short to be seen.
func (d *drawing) barOf(r *row) string {
	if d.length <= 0 {
		return strings.Repeat("█", d.bar)
	}
	scale := func(t time.Duration) int { // in eighths of a column
		return int(float64(t) / float64(d.length) * float64(8*d.bar))
	}
	offset := r.start().Sub(d.start)
	from := min(scale(offset)/8, d.bar-1)
	length := max(scale(offset+r.duration())-8*from, 1)
	bar := strings.Repeat(" ", from) + strings.Repeat("█", length/8)
	if rest := length % 8; rest > 0 {
		bar += string(eighths[rest-1])
	}
	return fit(bar, d.bar)
}
