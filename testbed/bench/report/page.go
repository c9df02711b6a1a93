package report

import (
	"errors"
	"strings"
)

// What a run writes stands between these two lines; the rest of the page is
// written by hand.
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
