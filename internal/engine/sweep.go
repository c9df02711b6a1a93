//go:build linux && (amd64 || arm64)

package engine

import (
	"maps"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/internal/attach"
	"github.com/spanprobe/spanprobe/internal/goroutine"
)

// underWay is how long a probe may go on with a process that was forgotten as it
// was hit: an operation that it is about to end is not swept from under it, and
// counted twice.
const underWay = 100 * time.Millisecond

// sweepEnded removes the operations that ended programs left behind.
func (c *controller) sweepEnded() {
	now := time.Now()
	due := maps.Clone(c.forgotten)
	maps.DeleteFunc(due, func(_ program, since time.Time) bool { return now.Sub(since) < underWay })
	if len(due) == 0 {
		return
	}
	n, whole, err := c.kernel.Sweep(func(pid int, generation uint32) bool {
		since, forgotten := c.forgotten[program{uint32(pid), generation}]
		return !c.kernel.Traces(pid, generation) && (!forgotten || now.Sub(since) >= underWay)
	})
	c.counts.sweep(n.Unfinished, n.NotSampled, LostUnfinished)
	if err != nil {
		c.settings.Logger.Error("The operations of ended processes cannot be removed", zap.Error(err))
	}
	if whole {
		maps.DeleteFunc(c.forgotten, func(p program, _ time.Time) bool { _, swept := due[p]; return swept })
	}
}

// goroutineInterval is how often, and from which age on, operations are looked at whose goroutine may
// have ended without an end of theirs: a client panicked, or a server found its client's connection
// gone and wrote no answer.
const goroutineInterval = 5 * time.Second

// sweepGoroutines removes the operations whose goroutine has ended.
func (c *controller) sweepGoroutines() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		panic(err) // the clock exists on every kernel that passed the checks
	}
	old := uint64(max(now.Nano()-int64(goroutineInterval), 0))
	n, _, err := c.kernel.SweepOperations(func(o attach.Operation) bool {
		r := c.processes[o.PID]
		if o.G == 0 || o.Start == 0 || o.Start > old || r == nil || r.program.generation != o.Generation || r.binary.goroutine == nil {
			return false
		}
		ended, err := goroutine.Ended(o.PID, o.G, o.Goroutine, *r.binary.goroutine)
		if err != nil {
			c.settings.Logger.Debug("A goroutine cannot be looked at; the operation that it began is left alone",
				zap.Int("pid", o.PID), zap.Error(err))
		}
		return ended
	})
	c.counts.sweep(n.Unfinished, n.NotSampled, LostUnfinished)
	if err != nil {
		c.settings.Logger.Error("The operations of ended goroutines cannot be removed", zap.Error(err))
	}
}
