package wire

// Counter is the index of one of the kernel's "counters": bpf/include/counters.h.
type Counter = wireCounter

// The kernel's counters.
const (
	CounterOperations        = wireCounterCOUNTER_OPERATIONS
	CounterSubmitted         = wireCounterCOUNTER_SUBMITTED
	CounterNotSampled        = wireCounterCOUNTER_NOT_SAMPLED
	CounterDiscarded         = wireCounterCOUNTER_DISCARDED
	CounterSelfTraced        = wireCounterCOUNTER_SELF_TRACED
	CounterLostRingFull      = wireCounterCOUNTER_LOST_RING_FULL
	CounterLostMapFull       = wireCounterCOUNTER_LOST_MAP_FULL
	CounterLostUnreadable    = wireCounterCOUNTER_LOST_UNREADABLE
	CounterLostUnsupported   = wireCounterCOUNTER_LOST_UNSUPPORTED
	CounterLostUnfinished    = wireCounterCOUNTER_LOST_UNFINISHED
	CounterPartialUnreadable = wireCounterCOUNTER_PARTIAL_UNREADABLE
	CounterPartialHeaders    = wireCounterCOUNTER_PARTIAL_HEADERS
	CounterParentAmbiguous   = wireCounterCOUNTER_PARENT_AMBIGUOUS
	CounterParentEvicted     = wireCounterCOUNTER_PARENT_EVICTED
	CounterConnectionUnknown = wireCounterCOUNTER_CONNECTION_UNKNOWN
	CounterInjected          = wireCounterCOUNTER_INJECTED
	CounterNotInjected       = wireCounterCOUNTER_NOT_INJECTED
	CounterStateNotInjected  = wireCounterCOUNTER_STATE_NOT_INJECTED
	CounterEventsLost        = wireCounterCOUNTER_EVENTS_LOST
	CounterHits              = wireCounterCOUNTER_HITS
	Counters                 = wireCounterCOUNTERS
)
