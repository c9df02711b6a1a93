package report

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// A run writes between these two lines; the rest of the page is written by hand.
const (
	beginMark = "<!-- bench:begin, written by `make bench` -->"
	endMark   = "<!-- bench:end -->"
)

// Replace puts a section between the page's marks.
func Replace(page, section string) (string, error) {
	before, rest, found := strings.Cut(page, beginMark)
	_, after, closed := strings.Cut(rest, endMark)
	if !found || !closed {
		return "", errors.New("the page lacks the line " + beginMark + " or, behind it, " + endMark)
	}
	return before + beginMark + "\n\n" + strings.TrimSpace(section) + "\n\n" + endMark + after, nil
}

//go:embed page.md.tmpl
var layout string

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"thousands":        thousands[int],
	"trim":             strings.TrimPrefix,
	"cell":             func(text string) string { return strings.ReplaceAll(text, "|", `\|`) },
	"in":               in,
	"http2Connections": HTTP2Connections,
	"streams":          func() int { return Streams },
	"copies":           func() int { return Copies },
	"churnInterval":    func() time.Duration { return ChurnInterval },
	"startsAMinute":    func() int { return int(time.Minute / ChurnInterval) },
	"requestsOfShort":  func() int { return RequestsOfShort },
}).Parse(layout))

// Markdown writes the run as a section of a page. That can fail for no run: a template is part of
// the program.
func (r *Run) Markdown() string {
	var b strings.Builder
	if err := templates.ExecuteTemplate(&b, "page", page{r}); err != nil {
		panic(err)
	}
	return b.String()
}

// in writes a number of bytes in another unit.
func in(unit float64, verb string, bytes int64) string {
	return fmt.Sprintf(verb, float64(bytes)/unit)
}

var english = message.NewPrinter(language.English)

// thousands writes a whole number in groups of three digits.
func thousands[T int | float64](v T) string { return english.Sprintf("%.0f", float64(v)) }

// page is a run as the page's template sees it.
type page struct{ *Run }

// section is what the page says of one kind of load: each "request" to a "server", or each
// "call" of a "program".
type section struct {
	page
	Mode          Mode
	Each, Program string
}

// row is what a table says of a case in one mode.
type row struct {
	*Case
	rounds []Measurement
}

func (p page) In(mode Mode) section {
	if slices.Contains(kindsOfCalls, mode) {
		return section{p, mode, "call", "program"}
	}
	return section{p, mode, "request", "server"}
}

// Calls are the sections of the kinds of calls that were measured.
func (p page) Calls() (measured []section) {
	for _, kind := range kindsOfCalls {
		if s := p.In(kind); len(s.Rows()) > 0 {
			measured = append(measured, s)
		}
	}
	return measured
}

func (p page) Rate(mode Mode) string { return thousands(p.Settings.Rates[mode]) }

// Rows are the cases that were measured.
func (s section) Rows() (rows []row) {
	for i := range s.Cases {
		if c := &s.Cases[i]; len(c.Rounds[s.Mode]) > 0 {
			rows = append(rows, row{c, c.Rounds[s.Mode]})
		}
	}
	return rows
}

// Added is what tracing adds to the bare program, in ratios within each round.
func (s section) Added() (rows [][]string) {
	for _, key := range []string{ByHand, Probed, Bystander} {
		toBare := func(verb, unit string, figure func(bare, m Measurement) float64) string {
			return s.perRound(s.Mode, func(in []Measurement) float64 {
				return figure(in[0], in[1])
			}, Bare, key).format(verb, unit)
		}
		cells := []string{
			toBare("%+.1f", " µs", func(bare, m Measurement) float64 {
				return appMicros(m) - appMicros(bare)
			}),
			toBare("%+.0f", " %", func(bare, m Measurement) float64 {
				return 100 * addedShare(bare, m)
			}),
			toBare("%+.1f", " µs", func(bare, m Measurement) float64 {
				return bothMicros(m) - appMicros(bare)
			}),
		}
		if cells[0] == none {
			continue
		}
		if key == Bystander {
			cells[2] = none // what the collector does is for the traced process
		}
		rows = append(rows, append([]string{s.find(key).Title}, cells...))
	}
	return rows
}

// NotHeld tells which cases could not hold the rate.
func (s section) NotHeld() (told []string) {
	for _, row := range s.Rows() {
		if held := over(row.rounds, heldPercent); held.N > 0 && held.Min < minHeldPercent {
			told = append(told, fmt.Sprintf("%s held only %.1f %%", row.Title, held.Min))
		}
	}
	return told
}

// The is a figure of the row. A case that is not traced has none of spans.
func (w row) The(name string) string {
	if figures[name].ofSpans && !w.Traced {
		return none
	}
	return figures[name].over(w.rounds)
}

// After is a figure of the case in another mode.
func (w row) After(mode Mode, name string) string { return row{w.Case, w.Rounds[mode]}.The(name) }

// Arrived does not round a loss away.
func (w row) Arrived() string {
	arrived := over(w.rounds, arrivedPercent)
	if w.Traced && arrived.Min == 100 && arrived.Max == 100 {
		return "100 %"
	}
	return w.The("spans")
}

// Total is what all rounds come to.
func (w row) Total() Measurement { return total(w.rounds) }

// Lost is by the receiver's count; an SDK does not say what it dropped.
func (w row) Lost() string {
	if w.Key != Probed {
		return none
	}
	var reasons []string
	lost := w.Total().Lost
	for _, reason := range slices.Sorted(maps.Keys(lost)) {
		if lost[reason] > 0 {
			reasons = append(reasons, thousands(lost[reason])+" "+reason)
		}
	}
	return cmp.Or(strings.Join(reasons, ", "), "0")
}

// Overall is a figure of all loads.
func (p page) Overall(name string) string {
	var all []Measurement
	for _, c := range p.Cases {
		for _, rounds := range c.Rounds {
			all = append(all, rounds...)
		}
	}
	return figures[name].over(all)
}

// Collectors are the cases in which one was measured.
func (p page) Collectors() []row {
	return slices.DeleteFunc(p.In(Fixed).Rows(), func(w row) bool { return !w.Traced })
}

// Together is what started at once: the times, then the requests to all and their spans.
func (p page) Together() []string {
	serving := over(p.AtOnce, func(a AtOnce) float64 { return a.Serving.Seconds() })
	traced := over(p.AtOnce, func(a AtOnce) float64 { return a.Traced.Seconds() })
	var all ShortLived
	for _, round := range p.AtOnce {
		all = all.plus(round.ShortLived)
	}
	return []string{
		serving.format("%.2f", " s"), traced.format("%.2f", " s"),
		thousands(all.Requests), thousands(all.Spans),
	}
}

// FirstOfTheirBinary are the processes whose binary nobody has run before.
func (p page) FirstOfTheirBinary() (all ShortLived) {
	for _, round := range p.Unseen {
		all = all.plus(round)
	}
	return all
}

// All are the hits of all programs together.
func (h *Hits) All() []float64 {
	all := make([]float64, len(h.Titles))
	for _, p := range h.Probes {
		for i, count := range p.Counts {
			all[i] += count.Hits
		}
	}
	return all
}

// String is "hits (time)".
func (c Count) String() string {
	if c.Hits == 0 {
		return "0"
	}
	return fmt.Sprintf("%.4f (%d ns)", c.Hits, c.Time.Nanoseconds())
}

// CallRows are what it takes for each kind of call.
func (c *ContextCost) CallRows() (rows [][]string) {
	for _, kind := range kindsOfCalls {
		ways := c.Calls[kind]
		if ways == nil {
			continue
		}
		without, with := ways[Isolated], ways[Joined]
		adds := Count{with.Hits - without.Hits, with.Time - without.Time}
		row := []string{strings.Replace(string(kind), " client", "", 1)}
		for _, count := range []Count{without, with, adds, ways[Ancestry]} {
			row = append(row,
				fmt.Sprintf("%.2f hits, %.1f µs", count.Hits, microseconds(count.Time)))
		}
		rows = append(rows, row)
	}
	return rows
}

// StartRows are what it takes to start a goroutine.
func (c *ContextCost) StartRows() (rows [][]string) {
	for _, way := range []Context{Untraced, Isolated, Joined, Ancestry} {
		took := over(c.Starts[way], func(d time.Duration) float64 { return float64(d) })
		rows = append(rows, []string{string(way), took.format("%.0f", " ns")})
	}
	return rows
}

func (i Inspected) took() Spread { return over(i.Took, milliseconds) }

// Time is what an inspection took.
func (i Inspected) Time() string { return i.took().format("%.0f", " ms") }
