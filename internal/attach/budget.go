package attach

import (
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// maxProbes bounds the probes of all executables: 32 for each of as many as may be attached. Of
	// the plans on record, the largest have 24. The kernel takes out one after the other, and each
	// takes up to a third of a millisecond.
	maxProbes = 32 << 10
	// loadedDescriptors is how many files the programs and maps have open, about.
	loadedDescriptors = 150
)

// ErrNoRoom is why an executable gets no probes as long as others have theirs.
var ErrNoRoom = errors.New("there is no room for its probes")

var (
	errProbes = fmt.Errorf(
		"%w: all executables have %d, which is all that spanprobe puts in", ErrNoRoom, maxProbes)
	errDescriptors = fmt.Errorf(
		"%w: those of all executables have all files that they may: %w", ErrNoRoom, unix.EMFILE)
)

// budget is how much of something the probes of all executables may have. A user who runs many
// programs has no part of the rest. Its methods may be called concurrently.
type budget struct{ left atomic.Int64 }

// ofDescriptors gives probes three quarters of the files that the programs leave. The others are
// for whatever else the collector does, such as to export spans.
func (b *budget) ofDescriptors(limit uint64) {
	b.left.Store((int64(min(limit, 1<<40)) - loadedDescriptors) / 4 * 3)
}

// take takes n. False: so much is not left.
func (b *budget) take(n int) bool {
	if b.left.Add(-int64(n)) < 0 {
		b.give(n)
		return false
	}
	return true
}

func (b *budget) give(n int) { b.left.Add(int64(n)) }
