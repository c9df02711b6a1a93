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

	redrawInterval = time.Second
	// repeatInterval is how often a step that goes on says so where lines
	// cannot be drawn over.
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

// width is the number of columns to draw in.
func (t *terminal) width() int {
	width, _, err := term.GetSize(t.fd)
	if err != nil {
		// Not a terminal: there is no width to fit.
		return maxColumns
	}
	return min(max(width, minColumns), maxColumns)
}

func (t *terminal) blank()          { fmt.Fprintln(t.out) }
func (t *terminal) say(text string) { fmt.Fprintln(t.out, text) }

// step runs work, with the time that it takes in view, and tells the result.
func (t *terminal) step(name, doing string, work func() (string, error)) error {
	type outcome struct {
		result string
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		result, err := work()
		done <- outcome{result, err}
	}()

	start := time.Now()
	interval := repeatInterval
	if t.live {
		interval = redrawInterval
		fmt.Fprintf(t.out, "  %-11s %s", name, doing)
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			t.over("  %-11s %s, %s", name, doing, elapsed(start))
			if !t.live {
				t.blank()
			}
		case o := <-done:
			switch {
			case errors.Is(o.err, context.Canceled):
				t.over("✗ %-11s interrupted after %s", name, elapsed(start))
			case o.err != nil:
				t.over("✗ %-11s failed after %s", name, elapsed(start))
			case time.Since(start) >= time.Second:
				t.over("✓ %-11s %s (%s)", name, o.result, elapsed(start))
			default:
				t.over("✓ %-11s %s", name, o.result)
			}
			t.blank()
			return o.err
		}
	}
}

// over draws over the line that the cursor is in, where it can.
func (t *terminal) over(format string, args ...any) {
	if t.live {
		fmt.Fprint(t.out, "\r\x1b[K")
	}
	fmt.Fprintf(t.out, format, args...)
}

func elapsed(start time.Time) time.Duration { return time.Since(start).Round(time.Second) }
