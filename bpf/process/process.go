// Package process holds the programs that tell discovery what the kernel sees
// (exec, exit, listen), and the Go side of what all of spanprobe's programs
// share: bpf/include.
package process

import "github.com/cilium/ebpf"

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package process -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type process -type operation_key -type span_head -type context_bit -type keeping -type counter -type event -type event_kind -type file_key -type span_set -type way_state shared process.bpf.c -- -I../include -Wall -Werror -mcpu=v3

// The structs that C and Go share, as the compiler laid them out.
type (
	// Process is the value of the map "processes"; its key is a thread-group id.
	Process = sharedProcess
	// OperationKey is the key of every map of operations in flight.
	OperationKey = sharedOperationKey
	// SpanHead is how every record in the ring buffer "spans" begins.
	SpanHead = sharedSpanHead
	// Event is a record in the ring buffer "events".
	Event = sharedEvent
	// FileKey is the key of the map "files"; its value is the index of a binary.
	FileKey = sharedFileKey
	// SpanSet is the value of the map "span_contexts".
	SpanSet = sharedSpanSet
	// Keeping says whether the entry of an operation stays when that has ended.
	Keeping = sharedKeeping
	// Counter is the index of one of the "counters".
	Counter = sharedCounter
	// EventKind says what an Event tells.
	EventKind = sharedEventKind
)

// States of a place for a span's context.
const (
	WayActive = sharedWayStateWAY_ACTIVE
	WayEnded  = sharedWayStateWAY_ENDED
	WayStates = sharedWayStateWAY_STATES
)

// FlagSampled is that bit of the flags of W3C Trace Context.
const FlagSampled = 0x01

// The kinds of events.
const (
	EventExec   = sharedEventKindEVENT_EXEC
	EventExit   = sharedEventKindEVENT_EXIT
	EventListen = sharedEventKindEVENT_LISTEN
)

// The counters, see bpf/include/counters.h.
const (
	CounterOperations        = sharedCounterCOUNTER_OPERATIONS
	CounterSubmitted         = sharedCounterCOUNTER_SUBMITTED
	CounterNotSampled        = sharedCounterCOUNTER_NOT_SAMPLED
	CounterDiscarded         = sharedCounterCOUNTER_DISCARDED
	CounterSelfTraced        = sharedCounterCOUNTER_SELF_TRACED
	CounterLostRingFull      = sharedCounterCOUNTER_LOST_RING_FULL
	CounterLostMapFull       = sharedCounterCOUNTER_LOST_MAP_FULL
	CounterLostUnreadable    = sharedCounterCOUNTER_LOST_UNREADABLE
	CounterLostUnsupported   = sharedCounterCOUNTER_LOST_UNSUPPORTED
	CounterLostUnfinished    = sharedCounterCOUNTER_LOST_UNFINISHED
	CounterPartialUnreadable = sharedCounterCOUNTER_PARTIAL_UNREADABLE
	CounterPartialHeaders    = sharedCounterCOUNTER_PARTIAL_HEADERS
	CounterParentAmbiguous   = sharedCounterCOUNTER_PARENT_AMBIGUOUS
	CounterParentEvicted     = sharedCounterCOUNTER_PARENT_EVICTED
	CounterConnectionUnknown = sharedCounterCOUNTER_CONNECTION_UNKNOWN
	CounterInjected          = sharedCounterCOUNTER_INJECTED
	CounterNotInjected       = sharedCounterCOUNTER_NOT_INJECTED
	CounterStateNotInjected  = sharedCounterCOUNTER_STATE_NOT_INJECTED
	CounterEventsLost        = sharedCounterCOUNTER_EVENTS_LOST
	CounterHits              = sharedCounterCOUNTER_HITS
	Counters                 = sharedCounterCOUNTERS
)

// What Keeping says.
const (
	KeepingNot  = sharedKeepingKEEPING_NOT
	KeepingIdle = sharedKeepingKEEPING_IDLE
)

// KeptAndSwept is KEPT_AND_SWEPT of bpf/include/keep.h: the entry of the map
// "kept" that user space writes.
const KeptAndSwept = uint32(1)

// The bits of SpanHead.Context, see bpf/include/span.h.
const (
	ContextRemoteParent = uint8(sharedContextBitCONTEXT_REMOTE_PARENT)
	ContextMissesHooks  = uint8(sharedContextBitCONTEXT_MISSES_HOOKS)
)

// Programs names the programs of the object.
const (
	ProgramExec   = "process_exec"
	ProgramExit   = "process_exit"
	ProgramListen = "process_listen"
)

// Load returns a fresh specification of the compiled object.
func Load() (*ebpf.CollectionSpec, error) { return loadShared() }
