package wire

// Stats is a snapshot of all counters. All are monotonic, but for the gauges at the end. At any
// time
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
	// Injected counts the requests of clients that carry the context of their span, and NotInjected
	// those in which there was no room for it.
	Injected, NotInjected uint64
	// TracestatesNotInjected counts the requests that were injected without the tracestate of their
	// trace, and those that were served and whose tracestate cannot be passed on.
	TracestatesNotInjected uint64
	// Lost counts the operations that gave no span, by reason.
	Lost map[ReasonName]uint64
	// LostOf counts the same by service. Its sums may lag behind.
	LostOf map[Loss]uint64
	// Degraded counts the spans that lack something that was there, by reason.
	Degraded map[ReasonName]uint64
	// AttachFailures counts the executables that matched and could not be traced.
	AttachFailures uint64
	// ExecutablesLeftAlone counts those that matched and are not traced since they contain
	// OpenTelemetry's SDK.
	ExecutablesLeftAlone uint64
	// PreparationsDelayed counts how often a file was not examined at once, since that was done
	// again and again.
	PreparationsDelayed uint64
	// EventsLost counts the events on processes that found no room; a scan finds what they told.
	EventsLost uint64
	// ProbeHits counts how often a probe ran for a traced process.
	ProbeHits uint64

	Processes   int // being traced now
	Executables int // attached now
	Active      int // operations in flight now
}

// ReasonName is a value of the attribute "reason".
type ReasonName string

// Loss is why operations of a service were lost. Service "": the process is not known, or was no
// target.
type Loss struct {
	Service string
	Reason  ReasonName
}

// The reasons for losing a span.
const (
	// LostRingBufferFull: the ring buffer had no room (ring_buffer_size).
	LostRingBufferFull ReasonName = "ring_buffer_full"
	// LostActiveSpansFull: too many operations were in flight, of one process or of all
	// (max_active_spans).
	LostActiveSpansFull ReasonName = "active_spans_full"
	// LostUnreadable: memory of the target that identifies the operation was not resident.
	LostUnreadable ReasonName = "unreadable"
	// LostUnsupported: the programs cannot see the end of its protocol in this binary.
	LostUnsupported ReasonName = "unsupported"
	// LostUnfinished: no program saw its end. The process has ended, for example.
	LostUnfinished ReasonName = "unfinished"
	// LostProcessUnknown: the process was gone before the engine looked at it.
	LostProcessUnknown ReasonName = "process_unknown"
	// LostNotTarget: the process turned out to match no target.
	LostNotTarget ReasonName = "not_a_target"
	// LostMalformed: the record could not be decoded.
	LostMalformed ReasonName = "malformed"
	// LostRefused: the next consumer did not take the span.
	LostRefused ReasonName = "refused"
	// LostShutdown: the operation was in flight when the receiver was shut down.
	LostShutdown ReasonName = "shutdown"
)

// The reasons for a span that lacks something.
const (
	// DegradedUnreadable: memory of the target was not resident. Attributes are missing.
	DegradedUnreadable ReasonName = "unreadable"
	// DegradedHeaders: headers were too many to be searched, or not found. The parent or the user
	// agent may be missing.
	DegradedHeaders ReasonName = "headers"
	// DegradedUnknownConnection: an end of a request's connection could not be told. The span of
	// who serves it may have no parent.
	DegradedUnknownConnection ReasonName = "unknown_connection"
	// DegradedAmbiguousParent: it could not be told whose child a span is. It has no parent.
	DegradedAmbiguousParent ReasonName = "ambiguous_parent"
	// DegradedUnknownContext: the context of a call could not be followed to its end. The call has
	// no parent.
	DegradedUnknownContext ReasonName = "unknown_context"
	// DegradedEvictedParent: there was no room to note a span's context. Its children may have no
	// parent.
	DegradedEvictedParent ReasonName = "evicted_parent"
)

// AddKernel adds what the kernel counted to what user space did, and says how many operations are
// in flight.
func (s *Stats) AddKernel(kernel *Counts) {
	ended := kernel.N[wireCounterCOUNTER_SUBMITTED]
	add := func(c *source, n uint64) uint64 {
		n += c.sum(kernel)
		if c.ends {
			ended += n
		}
		return n
	}
	for i := range Metrics {
		m := &Metrics[i]
		if m.field != nil {
			*m.field(s) = add(&m.source, *m.field(s))
		}
		for j := range m.Reasons {
			reason, counts := &m.Reasons[j], m.reasons(s)
			if n := add(&reason.source, counts[reason.Name]); n != 0 || reason.kernel != nil {
				counts[reason.Name] = n
			}
			if m.services != nil && reason.kernel != nil {
				m.services(s)[Loss{Reason: reason.Name}] += reason.sum(kernel)
			}
		}
	}
	// The counters are read one after the other while they move.
	s.Active = int(max(int64(s.Operations)-int64(ended), 0))
}
