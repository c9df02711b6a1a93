package waterfall

import "strconv"

// palette paints text with ANSI escapes, or leaves it as it is when false.
type palette bool

// colorError is the color after those of the services.
const colorError = 5

func (p palette) bold(text string) string { return p.escape("1", text) }
func (p palette) dim(text string) string  { return p.escape("2", text) }

// color paints in one of the colors of a terminal's own theme, by a service's
// number or colorError. The escapes 32 to 36 are green to cyan; 31 is red, and
// left to errors.
func (p palette) color(n int, text string) string {
	if n == colorError {
		return p.escape("31", text)
	}
	return p.escape(strconv.Itoa(36-n), text)
}

func (p palette) escape(code, text string) string {
	if !p || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
