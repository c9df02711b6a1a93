//go:build linux && (amd64 || arm64)

package engine

import (
	"fmt"
	"strings"
)

// maxUntraced is how many executables the status names.
const maxUntraced = 16

// untraced is the error that executables are not traced, or not in full. It becomes a text only
// when the status is reported: the engine asks much more often whether there is such an error.
type untraced struct {
	files []untracedFile
	more  int // that it does not name
}

type untracedFile struct {
	path string
	why  error
}

func (u *untraced) Error() string {
	var lines []string
	for _, file := range u.files {
		lines = append(lines, fmt.Sprintf("%s: %v", file.path, file.why))
	}
	if u.more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more executables", u.more))
	}
	return strings.Join(lines, "\n")
}

func (u *untraced) Unwrap() (why []error) {
	for _, file := range u.files {
		why = append(why, file.why)
	}
	return why
}
