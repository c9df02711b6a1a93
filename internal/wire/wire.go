// Package wire is what the programs in the kernel and user space exchange: the structs of maps and
// ring buffers, the names by which user space finds those, and one parser for each record.
package wire

import "fmt"

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package wire -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type absence -type context_bit -type counter -type counts -type event -type event_kind -type file_key -type generation -type keeping -type kept_count -type map_layout -type operation_key -type peer -type peer_kind -type process -type process_table -type span_head -type span_set -type text -type trace_flag -type tracestate_limit -type way_state wire wire.bpf.c -- -I../../bpf/include -Wall -Werror -mcpu=v3

// The structs of maps, as the compiler of the C side laid them out.
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
	// ProcessKey is the key of the map "losses".
	ProcessKey = wireProcessKey
	// LostOperations is the value of the map "losses".
	LostOperations = wireLostOperations
	// KeptTracestate is a tracestate that requests are to carry.
	KeptTracestate = wireKeptTracestate
)

// The values of Keeping.
const (
	KeepingNot  = wireKeepingKEEPING_NOT
	KeepingIdle = wireKeepingKEEPING_IDLE
)

// KeptAndSwept is the entry of the map "kept" that user space writes.
const KeptAndSwept = uint32(wireKeptCountKEPT_AND_SWEPT)

// States of a place for a span's context.
const (
	WayActive = wireWayStateWAY_ACTIVE
	WayEnded  = wireWayStateWAY_ENDED
	WayStates = wireWayStateWAY_STATES
)

// ProcessTableSize is the size of the tables of what each process has taken.
const ProcessTableSize = uint32(wireProcessTablePROCESS_TABLE_SIZE)

// Names of the maps: those that all objects share, and those that each library has.
const (
	MapProcesses    = wireMapProcesses
	MapCounters     = wireMapCounters
	MapSpans        = wireMapSpans
	MapWaiting      = wireMapWaiting
	MapLosses       = wireMapLosses
	MapEvents       = wireMapEvents
	MapFiles        = wireMapFiles
	MapSpanContexts = wireMapSpanContexts
	MapTracestates  = wireMapTracestates

	MapOffsets    = wireMapOffsets
	MapOperations = wireMapOperations
	MapKept       = wireMapKept
	MapInFlight   = wireMapInFlight
	MapBeyond     = wireMapBeyondShares
)

// Names of the variables that the loader sets.
const (
	VariableLibrary           = wireVarLibrary
	VariableWakeupBytes       = wireVarWakeupBytes
	VariableMaxKept           = wireVarMaxKept
	VariableShare             = wireVarShare
	VariablePool              = wireVarPool
	VariableLastSet           = wireVarLastSet
	VariableLastTracestateSet = wireVarLastTracestateSet
	VariableHashSeed          = wireVarHashSeed
	VariableInjects           = wireVarInjects
	VariableIsolated          = wireVarIsolated
	VariableSamplingThreshold = wireVarSamplingThreshold
	VariableParentBased       = wireVarParentBased
	VariableOwnState          = wireVarOwnState
)

// Absent is the offset of a field that a binary does not have, or whose place is not known.
const Absent = uint32(wireAbsenceABSENT)

// The layouts of maps that Go has had.
const (
	MapClassic = uint64(wireMapLayoutMAP_CLASSIC) // hash buckets with overflow chains
	MapSwiss   = uint64(wireMapLayoutMAP_SWISS)   // groups of eight interleaved slots
)

// TracestateLimit is how many bytes are kept of a tracestate.
const TracestateLimit = int(wireTracestateLimitTRACESTATE_LIMIT)

// KeepTracestate lays a tracestate out as the programs do.
func KeepTracestate(state string) (kept KeptTracestate, err error) {
	if len(state) > TracestateLimit {
		return kept, fmt.Errorf("a tracestate of %d bytes is too long", len(state))
	}
	for i := range len(state) {
		kept.Text[i] = int8(state[i])
	}
	kept.Length = uint16(len(state))
	return kept, nil
}

// Generation is the generation of a process that started so many nanoseconds after the boot; see
// new_generation of bpf/include/process.h.
func Generation(sinceBoot int64) uint32 {
	return max(uint32(sinceBoot>>wireGenerationGENERATION_SHIFT), 1)
}
