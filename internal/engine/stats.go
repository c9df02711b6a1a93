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
	DegradedUnknownContext    = wire.DegradedUnknownContext
	DegradedEvictedParent     = wire.DegradedEvictedParent
)

const (
	// maxServices bounds the services by which losses are counted: the first ones that are traced.
	maxServices = 64
	// otherServices is the name of all others.
	otherServices = "_OTHER"
)

// counts are the counters that the engine keeps itself. Safe for concurrent use.
type counts struct {
	mu       sync.Mutex
	kept     Stats
	services map[string]bool // that have counters of their own
}

func newCounts() *counts {
	return &counts{
		kept: Stats{
			Lost: map[LostReason]uint64{}, LostOf: map[wire.Loss]uint64{},
			Degraded: map[DegradedReason]uint64{},
		},
		services: map[string]bool{},
	}
}

// know gives a service counters of its own, if there is room. A series that begins with its first
// loss shows no increase, so they are there before.
func (c *counts) know(service string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := c.counted(service)
	for _, reason := range wire.LossReasons() {
		c.kept.LostOf[wire.Loss{Service: name, Reason: reason}] += 0
	}
}

// counted is the name by which the losses of a service are counted.
func (c *counts) counted(service string) string {
	switch {
	case service == "" || c.services[service]:
	case len(c.services) < maxServices:
		c.services[service] = true
	default:
		return otherServices
	}
	return service
}

func (c *counts) emit(n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.Emitted += n
}

// lose counts losses of a service; "" stands for a process that is not known.
func (c *counts) lose(reason LostReason, service string, n uint64) {
	if n == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.Lost[reason] += n
	c.kept.LostOf[wire.Loss{Service: c.counted(service), Reason: reason}] += n
}

func (c *counts) notSampled(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.NotSampled += uint64(n)
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
	stats.Lost, stats.LostOf = maps.Clone(c.kept.Lost), maps.Clone(c.kept.LostOf)
	stats.Degraded = maps.Clone(c.kept.Degraded)
	return stats
}
