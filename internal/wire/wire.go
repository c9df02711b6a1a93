// Package wire is what the programs in the kernel and user space exchange: the structs of maps and
// ring buffers, the names by which user space finds those, and one parser for each record.
package wire

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package wire -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type process -type operation_key -type span_head -type context_bit -type keeping -type counter -type event -type event_kind -type file_key -type span_set -type way_state wire ../../bpf/process/process.bpf.c -- -I../../bpf/include -Wall -Werror -mcpu=v3

// The structs that C and Go share, as the compiler of the C side laid them out.
type (
	// Process is the value of the map "processes"; its key is a thread-group id.
	Process = wireProcess
	// OperationKey is the key of every map of operations in flight.
	OperationKey = wireOperationKey
	// FileKey is the key of the map "files"; its value is the index of a binary.
	FileKey = wireFileKey
	// SpanSet is the value of the map "span_contexts".
	SpanSet = wireSpanSet
	// Keeping says whether the entry of an operation stays when the operation has ended.
	Keeping = wireKeeping
)

// The values of Keeping.
const (
	KeepingNot  = wireKeepingKEEPING_NOT
	KeepingIdle = wireKeepingKEEPING_IDLE
)

// KeptAndSwept is KEPT_AND_SWEPT of bpf/include/keep.h: the entry of the map
// "kept" that user space writes.
const KeptAndSwept = uint32(1)

// States of a place for a span's context.
const (
	WayActive = wireWayStateWAY_ACTIVE
	WayEnded  = wireWayStateWAY_ENDED
	WayStates = wireWayStateWAY_STATES
)

// ProgramListen is the tracepoint's program that reports listen(2).
const ProgramListen = wireProgProcessListen
