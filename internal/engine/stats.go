package engine

import (
	"maps"
	"sync"
)

// Stats is a snapshot of the engine's counters. All are monotonic, but for the
// gauges at the end. At any time
//
//	Operations = Emitted + NotSampled + Discarded + the sum of Lost + Active +
//	those on their way through the ring buffer
type Stats struct {
	// Operations counts the requests of traced processes that reached a probe.
	Operations uint64
	// Emitted counts the spans that the next consumer accepted.
	Emitted uint64
	// NotSampled counts the operations whose trace is not sampled: their incoming
	// context said so, or the sampler.
	NotSampled uint64
	// Discarded counts what began like an operation and was none: a request that goes on as another
	// operation, which is counted itself, or that a server answers without its handler.
	Discarded uint64
	// SelfTraced counts those of them that carry a trace context which the program itself gave
	// them: it has spans of its own.
	SelfTraced uint64
	// Injected counts the requests of clients that carry the context of their span, and
	// NotInjected those in which there was no room for it.
	Injected, NotInjected uint64
	// StateNotInjected counts the requests that were injected without the tracestate of their trace, and
	// those that were served and whose tracestate cannot be passed on.
	StateNotInjected uint64
	// Lost counts the operations that gave no span, by reason.
	Lost map[LostReason]uint64
	// Degraded counts the spans that lack something that was there, by reason.
	Degraded map[DegradedReason]uint64
	// AttachFailures counts the binaries that matched and could not be traced.
	AttachFailures uint64
	// LeftAlone counts the binaries that matched and are not traced since they
	// contain OpenTelemetry's SDK.
	LeftAlone uint64
	// EventsLost counts the events on processes that found no room; a scan
	// finds what they told.
	EventsLost uint64
	// ProbeHits counts how often a probe ran for a traced process.
	ProbeHits uint64

	Processes int // being traced now
	Binaries  int // attached now
	Active    int // operations in flight now
}

// LostReason says why an operation gave no span.
type LostReason string

// The reasons for losing a span.
const (
	LostRingFull       LostReason = "ring_buffer_full"  // no room in the ring buffer: ring_buffer_size
	LostMapFull        LostReason = "active_spans_full" // too many in flight: max_active_spans
	LostUnreadable     LostReason = "unreadable"        // memory of the target that identifies it was not resident
	LostUnsupported    LostReason = "unsupported"       // of a protocol whose end cannot be seen in this binary
	LostUnfinished     LostReason = "unfinished"        // its end was not seen: the process ended
	LostProcessUnknown LostReason = "process_unknown"   // its process was gone before it could be looked at
	LostNotTarget      LostReason = "not_a_target"      // its process turned out to match no target
	LostMalformed      LostReason = "malformed"         // a record that could not be decoded
	LostRefused        LostReason = "refused"           // the next consumer did not take it
	LostShutdown       LostReason = "shutdown"          // still in flight when the receiver was shut down
)

// DegradedReason says what a span lacks.
type DegradedReason string

// The reasons for a span that lacks something.
const (
	DegradedUnreadable        DegradedReason = "unreadable"         // memory of the target was not resident: attributes are missing
	DegradedHeaders           DegradedReason = "headers"            // headers were too many to be searched, or not found: parent or user agent may be missing
	DegradedUnknownConnection DegradedReason = "unknown_connection" // an end of a request's connection could not be told: the span of who serves it may have no parent
	DegradedAmbiguousParent   DegradedReason = "ambiguous_parent"   // it could not be told whose child a span is: it has no parent
	DegradedEvictedParent     DegradedReason = "evicted_parent"     // there was no room to note a span's context: its children may have no parent
)

// counts are the counters that the engine keeps itself. Safe for concurrent use.
type counts struct {
	mu             sync.Mutex
	emitted        uint64
	lost           map[LostReason]uint64
	notSampled     uint64
	attachFailures uint64
	leftAlone      uint64
	processes      int
	binaries       int
}

func newCounts() *counts { return &counts{lost: map[LostReason]uint64{}} }

func (c *counts) emit(n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.emitted += n
}

func (c *counts) lose(reason LostReason, n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost[reason] += n
}

// sweep counts operations that were removed without an end of theirs.
func (c *counts) sweep(unfinished, notSampled int, reason LostReason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost[reason] += uint64(unfinished)
	c.notSampled += uint64(notSampled)
}

func (c *counts) failToAttach() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attachFailures++
}

func (c *counts) leaveAlone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leftAlone++
}

func (c *counts) gauges(processes, binaries int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.processes, c.binaries = processes, binaries
}

func (c *counts) stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{
		Emitted:        c.emitted,
		Lost:           maps.Clone(c.lost),
		NotSampled:     c.notSampled,
		Degraded:       map[DegradedReason]uint64{},
		AttachFailures: c.attachFailures,
		LeftAlone:      c.leftAlone,
		Processes:      c.processes,
		Binaries:       c.binaries,
	}
}
