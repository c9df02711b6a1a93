package waterfall

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Options is how to draw.
type Options struct {
	Width int  // columns to draw in; what is under MinWidth counts as MinWidth
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
	paint  palette
	width  int
	start  time.Time
	length time.Duration // from the first start to the last end
	// The columns' widths.
	service, name, bar, status int
}

func newDrawing(out *bufio.Writer, spans []*row, options Options) *drawing {
	d := &drawing{out: out, rows: spans, paint: palette(options.Color), width: max(options.Width, MinWidth), start: spans[0].start()}
	d.service, d.name, d.status = len("service"), len("span"), minStatus
	for _, r := range spans {
		if r.start().Before(d.start) {
			d.start = r.start()
		}
		d.service = max(d.service, columns(r.service))
		d.name = max(d.name, columns(r.label()))
		d.status = max(d.status, columns(r.outcome()))
	}
	for _, r := range spans {
		d.length = max(d.length, r.start().Add(r.duration()).Sub(d.start))
	}
	d.service, d.name, d.status = min(d.service, maxService), min(d.name, maxName), min(d.status, maxStatus)
	d.bar = d.width - d.service - d.name - timeWidth - d.status - 4*len(gap)
	if d.bar < minBar {
		d.name -= minBar - d.bar
		d.bar = minBar
	}
	return d
}

func (d *drawing) draw() {
	fmt.Fprintf(d.out, "%s %s, %s, %s, %s\n\n", d.paint.bold("trace"), d.rows[0].span.TraceID(),
		count(len(d.services()), "service"), count(len(d.rows), "span"), format(d.length))
	d.line(d.paint.dim(fit("service", d.service)), d.paint.dim(fit("span", d.name)), d.paint.dim(d.axis()),
		d.paint.dim(right("duration", timeWidth)), d.paint.dim("status"))
	colors := d.services()
	for _, r := range d.rows {
		color := colors[r.service]
		outcome := cut(r.outcome(), d.status)
		if r.failed() {
			color, outcome = colorError, d.paint.color(colorError, outcome)
		}
		d.line(d.paint.color(colors[r.service], fit(r.service, d.service)), fit(r.label(), d.name),
			d.paint.color(color, d.barOf(r)), right(format(r.duration()), timeWidth), outcome)
		d.details(r)
	}
}

func (d *drawing) line(cells ...string) {
	fmt.Fprintln(d.out, strings.TrimRight(strings.Join(cells, gap), " "))
}

// details writes the attributes of a span below it, over as many lines as it takes.
func (d *drawing) details(r *row) {
	margin := d.service + len(gap) + 2*(r.depth+1)
	// A deep tree must leave room to write in.
	margin = min(margin, d.width/2)
	room := d.width - margin
	line := ""
	flush := func() {
		if line != "" {
			fmt.Fprintf(d.out, "%s%s\n", strings.Repeat(" ", margin), d.paint.dim(line))
		}
		line = ""
	}
	for _, detail := range r.details() {
		detail = cut(clean(detail), room)
		if line != "" && columns(line)+len(gap)+columns(detail) > room {
			flush()
		}
		if line != "" {
			line += gap
		}
		line += detail
	}
	flush()
}

// services numbers the services in the order in which they appear.
func (d *drawing) services() map[string]int {
	colors := map[string]int{}
	for _, r := range d.rows {
		if _, ok := colors[r.service]; !ok {
			colors[r.service] = len(colors) % colorError
		}
	}
	return colors
}

// axis is the head of the column of bars: the start and the end of the trace.
func (d *drawing) axis() string {
	end := format(d.length)
	return "0" + strings.Repeat(" ", max(d.bar-1-columns(end), 1)) + end
}

// eighths of a column, with which a bar ends between two columns.
const eighths = "▏▎▍▌▋▊▉█"

// barOf draws the time of a span to the scale of the trace, to an eighth of a
// column at its end. No span is too short to be seen.
func (d *drawing) barOf(r *row) string {
	if d.length <= 0 {
		return strings.Repeat("█", d.bar)
	}
	scale := func(t time.Duration) int { // in eighths of a column
		return int(float64(t) / float64(d.length) * float64(8*d.bar))
	}
	offset := r.start().Sub(d.start)
	from, to := min(scale(offset)/8, d.bar-1), scale(offset+r.duration())
	length := max(to-8*from, 1)
	bar := strings.Repeat(" ", from) + strings.Repeat("█", length/8)
	if rest := length % 8; rest > 0 {
		bar += string([]rune(eighths)[rest-1])
	}
	return fit(bar, d.bar)
}

// label is the span's name, set in by its depth.
func (r *row) label() string {
	if r.depth == 0 {
		return clean(r.span.Name())
	}
	return strings.Repeat("  ", r.depth-1) + "└ " + clean(r.span.Name())
}

// format writes a duration with three digits that count: "1.23 ms".
func format(t time.Duration) string {
	value, unit := float64(t), "ns"
	for _, larger := range []struct {
		unit string
		size time.Duration
	}{{"µs", time.Microsecond}, {"ms", time.Millisecond}, {"s", time.Second}} {
		// 999.6 µs would be rounded to 1000 µs.
		if float64(t) >= 0.9995*float64(larger.size) {
			value, unit = float64(t)/float64(larger.size), larger.unit
		}
	}
	digits := 2
	switch {
	case unit == "ns" || value >= 99.95:
		digits = 0
	case value >= 9.995:
		digits = 1
	}
	return fmt.Sprintf("%.*f %s", digits, value, unit)
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// clean replaces what would move a terminal's cursor: names and attributes come
// from outside.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

func columns(text string) int { return utf8.RuneCountInString(text) }

// cut shortens text to a number of columns.
func cut(text string, width int) string {
	if columns(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// fit makes text exactly as wide as a number of columns.
func fit(text string, width int) string {
	text = cut(text, width)
	return text + strings.Repeat(" ", width-columns(text))
}

func right(text string, width int) string {
	return strings.Repeat(" ", max(width-columns(text), 0)) + text
}
