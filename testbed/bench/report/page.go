package report

import (
	_ "embed"
	"errors"
	"fmt"
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
