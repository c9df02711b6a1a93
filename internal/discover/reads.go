package discover

import (
	"errors"
	"io"
	"os"
	"time"
)

// The kernel reads cmdline and environ from the memory of the process. The process may have mapped
// a file there whose file system never answers, or hold its own mmap lock. Such a read takes as
// long as the process makes it take, and nothing ends it.
const (
	// patience is how long one read may take. A read takes some ten microseconds.
	patience = 500 * time.Millisecond
	// lessPatience is how long one may take within slowTime of a read that took longer than this.
	// So processes that answer late, one after the other, hold up nobody for long.
	lessPatience = 10 * time.Millisecond
	slowTime     = 10 * time.Second
	// maxUnanswered bounds the reads that go on in the background, each with a thread.
	maxUnanswered = 16
)

// errNoAnswer says that a process does not let its memory be read.
var errNoAnswer = errors.New(
	"no answer in time: the process may have mapped a file there that cannot be read")

// errTooManyUnanswered says that so many reads go on that no other one begins.
var errTooManyUnanswered = errors.New(
	"not read, since other processes do not let their memory be read")

// isUnanswered tells whether a read took too long, or was not begun for that of others.
func isUnanswered(err error) bool {
	return errors.Is(err, errNoAnswer) || errors.Is(err, errTooManyUnanswered)
}

// boundedReads reads files of processes, and waits no longer than patience for each. It is used by
// one goroutine.
type boundedReads struct {
	underWay chan struct{} // one for each read
	slow     time.Time     // when a read last took long
}

func newBoundedReads() *boundedReads {
	return &boundedReads{underWay: make(chan struct{}, maxUnanswered)}
}

// inTime returns what a read brings, or an error if that takes too long.
func inTime[T any](r *boundedReads, read func() (T, error)) (its T, err error) {
	select {
	case r.underWay <- struct{}{}:
	default:
		return its, errTooManyUnanswered
	}
	type result struct {
		its T
		err error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-r.underWay }()
		its, err := read()
		done <- result{its, err}
	}()
	begun := time.Now()
	bound := patience
	if begun.Sub(r.slow) < slowTime {
		bound = lessPatience
	}
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case got := <-done:
		if now := time.Now(); now.Sub(begun) > lessPatience {
			r.slow = now
		}
		return got.its, got.err
	case <-timer.C:
		r.slow = time.Now()
		return its, errNoAnswer
	}
}

// head returns the first bytes of a file, at most so many.
func head(path string, limit int) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, int64(limit)))
}
