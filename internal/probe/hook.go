package probe

import "github.com/spanprobe/spanprobe/internal/model"

// Event is the moment of a function's run that a program wants to see. The planner chooses the
// instruction that stands for it.
type Event uint8

const (
	// Enter fires once for each call, with the arguments still in the registers of Go's internal
	// ABI and g in its own.
	Enter Event = iota
	// Return fires once for each return, with the results in the registers.
	Return
	// Call fires where the function is about to call another one, by its only direct call of
	// that, with the other's arguments in the registers.
	Call
)

func (e Event) String() string {
	switch e {
	case Return:
		return "return"
	case Call:
		return "call"
	}
	return "enter"
}

// Hook binds one program of a library to one event of one function.
//
// Symbol, Event and Program are all that most hooks need: a binary that lacks the function is not
// traced by the library. The other fields are of three kinds, none of which can stand for another.
// Optional, Together and When say in which binaries the hook has probes. Callee and Deferred
// belong to one event each. OnDemand, Slot and SiteSlot are about the running programs: when the
// probe is attached, and what the programs are told of it.
type Hook struct {
	Symbol  string // full name of the function: "example.com/m.(*Server).serve"
	Event   Event
	Callee  string // full name of the function that is called; for Call only
	Program string // name of the program in the library's object

	// Optional hooks may find no function, or none that can be probed. The library is then traced
	// without them.
	Optional bool
	// Together names the hooks that make sense only together, such as those at the beginning and
	// at the end of one kind of operation. A binary that has the functions of none of them is
	// traced without; one that has some must have all.
	Together string
	// When lists conditions, all of which a binary must meet. It is as if the hook did not exist
	// for other binaries.
	When []Condition

	// Deferred is what the function defers, if that may stand for the returns behind it; for
	// Return only.
	Deferred *Deferred
	// OnDemand hooks are attached to a binary when a record of one of its processes says that they
	// are missed (CONTEXT_MISSES_HOOKS, bpf/include/span.h). They are optional.
	OnDemand bool
	// Slot is where the library's offsets struct says whether the hook has probes in a binary: a
	// uint32 there, 1 or 0. Several hooks may share one slot, of which a binary has one hook at the
	// most. 0: the programs need not know.
	Slot uintptr
	// SiteSlot is where the offsets struct says at what distance from the start of the binary's
	// code the hook's probe is: a uint32 there, Absent unless there is exactly one probe. With
	// the program counter, it tells a program where in the process the binary's code is. 0: the
	// programs need not know.
	SiteSlot uintptr
}

// Condition is met by a binary or not: Has, Lacks, LacksField or On. The planner looks at it
// (internal/plan/condition.go).
type Condition interface{ condition() }

type (
	// Has lists full names of functions, one of which a binary must have.
	Has []string
	// Lacks is the full name of a function that a binary must not have.
	Lacks string
	// LacksField is a field that must not exist in a binary, or whose offset must not be known.
	LacksField model.Field
	// On is the architecture that a binary must be for.
	On model.Arch
)

func (Has) condition()        {}
func (Lacks) condition()      {}
func (LacksField) condition() {}
func (On) condition()         {}

// Deferred is a function that another one defers. The planner may find out how: then its entry, or
// the branch around its call, takes the place of the returns before which it runs. These may be
// emulated, where the returns are not.
type Deferred struct {
	// Symbols are full names, of which a binary has one by version: "example.com/m.call.func1".
	Symbols []string
	Program string
	Results int // how many registers the results take, up to 4
	// Slot is where the offsets struct says where the results are: Results + 2 times a uint32. They
	// are the places of the results by register of the ABI, the size of the frame up to the return
	// address, and how far the frame is from the stack pointer at the probe. All are in bytes, the
	// first ones from the frame's lower end. All are Absent where the returns have probes instead.
	Slot uintptr
}

// Extension is what a library adds to the programs of another one. The hooks attach the other's
// programs to functions of the library, in binaries in which both are traced. So a library says
// where an operation of the other becomes one of its own, or by which functions its requests carry
// headers that the other writes.
type Extension struct {
	Of    Name // of the other library, which may not be loaded
	Hooks []Hook
	// Fields are what the other's programs read of the library. The slots lie in the other's
	// offsets struct.
	Fields []Field
}

// Same tells whether two hooks bind the same program to the same event.
func (h *Hook) Same(other *Hook) bool {
	return h.Symbol == other.Symbol && h.Event == other.Event && h.Callee == other.Callee &&
		h.Program == other.Program
}
