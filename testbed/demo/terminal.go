package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

const (
	minColumns = 80
	maxColumns = 120
	// repeatInterval is how often a step that goes on says so where lines cannot be drawn over.
	repeatInterval = 30 * time.Second
)

// terminal is where the demo tells what it does.
type terminal struct {
	out  io.Writer
	fd   int
	live bool // a terminal, not a file or a pipe
}

func newTerminal(f *os.File) *terminal {
	fd := int(f.Fd())
	return &terminal{out: f, fd: fd, live: term.IsTerminal(fd) && os.Getenv("TERM") != "dumb"}
}

// color follows https://no-color.org.
func (t *terminal) color() bool { return t.live && os.Getenv("NO_COLOR") == "" }

// width is the number of columns to draw in. A file or a pipe has none to fit.
func (t *terminal) width() int {
	width, _, err := term.GetSize(t.fd)
	if err != nil {
		return maxColumns
	}
	return min(max(width, minColumns), maxColumns)
}

func (t *terminal) say(text string) { fmt.Fprintln(t.out, text) }

// step runs work, with the time that it takes in view, and tells the result.
func (t *terminal) step(name, doing string, work func() (string, error)) error {
	var result string
	done := make(chan error, 1)
	go func() {
		var err error
		result, err = work()
		done <- err
	}()

	start := time.Now()
	elapsed := func() time.Duration { return time.Since(start).Round(time.Second) }
	interval, end := repeatInterval, "\n"
	if t.live {
		interval, end = time.Second, ""
		t.over(" ", name, doing)
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			t.over(" ", name, fmt.Sprintf("%s, %s%s", doing, elapsed(), end))
		case err := <-done:
			mark := "✓"
			switch {
			case errors.Is(err, context.Canceled):
				mark, result = "✗", fmt.Sprintf("interrupted after %s", elapsed())
			case err != nil:
				mark, result = "✗", fmt.Sprintf("failed after %s", elapsed())
			case time.Since(start) >= time.Second:
				result += fmt.Sprintf(" (%s)", elapsed())
			}
			t.over(mark, name, result+"\n")
			return err
		}
	}
}

// over draws over the line that the cursor is in, where it can.
func (t *terminal) over(mark, name, text string) {
	if t.live {
		fmt.Fprint(t.out, "\r\x1b[K")
	}
	fmt.Fprintf(t.out, "%s %-11s %s", mark, name, text)
}
