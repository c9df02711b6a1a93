package engine

import (
	"maps"
	"sync"

	"github.com/spanprobe/spanprobe/internal/wire"
)

// Stats is a snapshot of the engine's counters; see wire.Stats.
type Stats = wire.Stats

// LostReason says why an operation gave no span.
type LostReason = wire.ReasonName

// DegradedReason says what a span lacks.
type DegradedReason = wire.ReasonName

// The reasons; see internal/wire.
const (
	LostRingBufferFull  = wire.LostRingBufferFull
	LostActiveSpansFull = wire.LostActiveSpansFull
	LostUnfinished      = wire.LostUnfinished
	LostProcessUnknown  = wire.LostProcessUnknown
	LostNotTarget       = wire.LostNotTarget
	LostMalformed       = wire.LostMalformed
	LostRefused         = wire.LostRefused
	LostShutdown        = wire.LostShutdown

	DegradedUnreadable        = wire.DegradedUnreadable
	DegradedHeaders           = wire.DegradedHeaders
	DegradedUnknownConnection = wire.DegradedUnknownConnection
	DegradedAmbiguousParent   = wire.DegradedAmbiguousParent
	DegradedEvictedParent     = wire.DegradedEvictedParent
)

// counts are the counters that the engine keeps itself. Safe for concurrent use.
type counts struct {
	mu   sync.Mutex
	kept Stats
}

func newCounts() *counts {
	return &counts{
		kept: Stats{Lost: map[LostReason]uint64{}, Degraded: map[DegradedReason]uint64{}},
	}
}

func (c *counts) emit(n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.Emitted += n
}

func (c *counts) lose(reason LostReason, n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.Lost[reason] += n
}

// sweep counts operations that were removed without an end of theirs.
func (c *counts) sweep(unfinished, notSampled int, reason LostReason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.Lost[reason] += uint64(unfinished)
	c.kept.NotSampled += uint64(notSampled)
}

func (c *counts) failToAttach() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.AttachFailures++
}

func (c *counts) delayPreparation() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.PreparationsDelayed++
}

func (c *counts) leaveAlone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.ExecutablesLeftAlone++
}

func (c *counts) gauges(processes, executables int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.Processes, c.kept.Executables = processes, executables
}

func (c *counts) stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	stats := c.kept
	stats.Lost, stats.Degraded = maps.Clone(c.kept.Lost), maps.Clone(c.kept.Degraded)
	return stats
}
