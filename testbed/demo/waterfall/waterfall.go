// Package waterfall draws a trace in a terminal: a row for each span, with a bar that is scaled
// to the time of the trace.
package waterfall

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/testbed/harness/spans"
)

// Options is how to draw.
type Options struct {
	Width int  // columns to draw in; less than MinWidth counts as MinWidth
	Color bool // with ANSI colours: errors are red
}

// MinWidth is the fewest columns that a waterfall is drawn in.
const MinWidth = 72

// Widths of columns.
const (
	maxService = 16
	maxName    = 34
	minBar     = 16
	timeWidth  = 9  // "123.45 ms"
	maxStatus  = 11 // "UNAVAILABLE"
	gaps       = 8  // four, between the columns
)

// drawing is a trace, and the columns that it takes.
type drawing struct {
	rows   []*row
	start  time.Time
	length time.Duration // from the first start to the last end
	// The columns' widths.
	service, name, bar, status int
}

// Draw writes a trace as a waterfall. It fails only as w does.
func Draw(w io.Writer, trace []spans.Span, o Options) error {
	out := bufio.NewWriter(w)
	d := drawing{
		rows: inOrder(trace), service: len("service"), name: len("span"), status: len("status"),
	}
	if len(d.rows) == 0 {
		fmt.Fprintln(out, "an empty trace")
		return out.Flush()
	}
	services, end := map[string]bool{}, time.Time{}
	for _, r := range d.rows {
		if d.start.IsZero() || r.start().Before(d.start) {
			d.start = r.start()
		}
		if last := r.start().Add(r.duration()); last.After(end) {
			end = last
		}
		services[r.service()] = true
		d.service = min(max(d.service, utf8.RuneCountInString(r.service())), maxService)
		d.name = min(max(d.name, utf8.RuneCountInString(r.label())), maxName)
		d.status = min(max(d.status, utf8.RuneCountInString(r.outcome())), maxStatus)
	}
	d.length = end.Sub(d.start)
	d.bar = max(o.Width, MinWidth) - d.service - d.name - timeWidth - d.status - gaps
	if d.bar < minBar {
		d.name -= minBar - d.bar
		d.bar = minBar
	}

	line := func(service, name, bar, duration, status string) {
		text := fmt.Sprintf("%-*s  %-*s  %-*s  %*s  %s", d.service, cut(service, d.service),
			d.name, cut(name, d.name), d.bar, bar, timeWidth, duration, status)
		fmt.Fprintln(out, strings.TrimRight(text, " "))
	}
	fmt.Fprintf(out, "trace %s, %d services, %d spans, %s\n\n",
		d.rows[0].TraceID(), len(services), len(d.rows), format(d.length))
	line("service", "span", fmt.Sprintf("0%*s", d.bar-1, format(d.length)), "duration", "status")
	for _, r := range d.rows {
		status := cut(r.outcome(), d.status)
		if o.Color && r.Status().Code() == ptrace.StatusCodeError {
			status = "\x1b[31m" + status + "\x1b[0m"
		}
		line(r.service(), r.label(), d.barOf(r), format(r.duration()), status)
	}
	return out.Flush()
}

// eighths of a column, with which a bar ends between two columns.
var eighths = []rune("▏▎▍▌▋▊▉█")

// barOf draws the time of a span to the scale of the trace, to an eighth of a column at its end.
// No span is too short to be seen.
func (d *drawing) barOf(r *row) string {
	scale := func(t time.Duration) int { // in eighths of a column
		return int(float64(t) / float64(max(d.length, 1)) * float64(8*d.bar))
	}
	offset := r.start().Sub(d.start)
	from := min(scale(offset)/8, d.bar-1)
	length := max(scale(offset+r.duration())-8*from, 1)
	bar := strings.Repeat(" ", from) + strings.Repeat("█", length/8)
	if rest := length % 8; rest > 0 {
		bar += string(eighths[rest-1])
	}
	return bar
}

// format writes a duration with three digits that count: "1.23 ms".
func format(t time.Duration) string {
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"s", time.Second}, {"ms", time.Millisecond}, {"µs", time.Microsecond}} {
		switch value := float64(t) / float64(unit.size); {
		case value >= 999.5:
			return fmt.Sprintf("%.0f %s", value, unit.name)
		case value >= 0.9995: // 999.6 µs would be rounded to 1000 µs
			return strings.TrimSuffix(fmt.Sprintf("%#.3g", value), ".") + " " + unit.name
		}
	}
	return fmt.Sprintf("%d ns", t)
}

// clean replaces all that would move a terminal's cursor: names and attributes come from outside.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// cut shortens text to a number of columns.
func cut(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// Attribute is the first of some that the span has, or else its resource; "" if there is none.
func Attribute(span spans.Span, keys ...attribute.Key) string {
	for _, key := range keys {
		if value, ok := span.Attributes().Get(string(key)); ok {
			return value.AsString()
		}
		if value, ok := span.Resource[string(key)]; ok {
			return fmt.Sprint(value)
		}
	}
	return ""
}

// row is one span, and its place in the tree.
type row struct {
	spans.Span
	depth int
}

// inOrder puts the spans in the order of the tree, siblings by their start.
func inOrder(trace []spans.Span) (ordered []*row) {
	var all []*row
	known, children := map[pcommon.SpanID]bool{}, map[pcommon.SpanID][]*row{}
	for _, span := range trace {
		all = append(all, &row{Span: span})
		known[span.SpanID()] = true
	}
	slices.SortStableFunc(all, func(a, b *row) int { return a.start().Compare(b.start()) })
	for _, r := range all {
		children[r.ParentSpanID()] = append(children[r.ParentSpanID()], r)
	}
	placed := map[*row]bool{}
	var place func(r *row, depth int)
	place = func(r *row, depth int) {
		if placed[r] {
			return
		}
		placed[r], r.depth = true, depth
		ordered = append(ordered, r)
		for _, child := range children[r.SpanID()] {
			place(child, depth+1)
		}
	}
	for _, r := range all {
		if !known[r.ParentSpanID()] {
			place(r, 0)
		}
	}
	// The rows that are left have themselves among their ancestors.
	for _, r := range all {
		place(r, 0)
	}
	return ordered
}

func (r *row) service() string {
	return clean(cmp.Or(Attribute(r.Span, semconv.ServiceNameKey), "?"))
}

func (r *row) start() time.Time { return r.StartTimestamp().AsTime() }

// duration is zero for a span that ends before it starts.
func (r *row) duration() time.Duration { return max(r.EndTimestamp().AsTime().Sub(r.start()), 0) }

// label is the span's name, set in by its depth.
func (r *row) label() string {
	if r.depth == 0 {
		return clean(r.Name())
	}
	return strings.Repeat("  ", r.depth-1) + "└ " + clean(r.Name())
}

// outcome is the code of gRPC, which says itself whether it is an error, or the status of HTTP
// with a word for that.
func (r *row) outcome() string {
	if code := Attribute(r.Span, semconv.RPCResponseStatusCodeKey); code != "" {
		return clean(code)
	}
	word := map[ptrace.StatusCode]string{
		ptrace.StatusCodeError: " error", ptrace.StatusCodeOk: " ok",
	}[r.Status().Code()]
	return strings.TrimSpace(clean(Attribute(r.Span, semconv.HTTPResponseStatusCodeKey)) + word)
}
