package waterfall

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// palette paints text with ANSI escapes, or leaves it as it is when false.
type palette bool

// The escapes of a terminal's own theme. Red is left to errors.
const bold, dim, red, cyan = 1, 2, 31, 36

const services = 5 // colours of services: from cyan down to green

func (p palette) paint(escape int, text string) string {
	if !p || text == "" {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", escape, text)
}

// Fold joins words to lines of a width, which only a longer word exceeds.
func Fold(words []string, gap string, width int) []string {
	var lines []string
	for _, word := range words {
		if last := len(lines) - 1; last >= 0 && columns(lines[last]+gap+word) <= width {
			lines[last] += gap + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
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

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
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

func columns(text string) int { return utf8.RuneCountInString(text) }

// cut shortens text to a number of columns.
func cut(text string, width int) string {
	if columns(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// fit makes text exactly as wide as a number of columns.
func fit(text string, width int) string { return fmt.Sprintf("%-*s", width, cut(text, width)) }

func right(text string, width int) string { return fmt.Sprintf("%*s", width, text) }
