// Package probe is the contract between the folder of an instrumented library
// (bpf/<library>) and the engine that plans, attaches and reads its probes.
package probe

import (
	"slices"

	"github.com/cilium/ebpf"

	"github.com/spanprobe/spanprobe/internal/model"
)

// Event is the moment of a function's run that a program wants to see. Which
// instruction stands for it is the planner's business.
type Event uint8

const (
	// Enter fires once for each call, with the arguments still in the
	// registers of Go's internal ABI and g in its own.
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
type Hook struct {
	Symbol  string // full name of the function: "net/http.(*response).finishRequest"
	Event   Event
	Callee  string // full name of the function that is called; for Call only
	Program string // name of the program in the library's object
	// Optional hooks may find no function, or none that can be probed: the
	// library is then traced without them.
	Optional bool
	// Together names the hooks that make sense only together, such as those at
	// the beginning and at the end of one kind of operation. A binary that has
	// the functions of none of them is traced without; one that has some must
	// have all.
	Together string
	// With names functions without any of which the hook is not needed: it is
	// left alone in binaries that have none of them.
	With []string
	// Without names a function in whose presence the hook is not needed.
	Without string
	// Unless names a field that makes the hook superfluous where its offset is
	// known.
	Unless model.Field
	// Arch is the architecture that the hook is for; "": all.
	Arch model.Arch
	// IfTraced names libraries: the hook has probes only in binaries in which one of
	// them is traced.
	IfTraced []string
	// Deferred is what the function defers, if that may stand for the returns behind it; for Return only.
	Deferred *Deferred
	// OnDemand hooks are attached to a binary when a record of one of its
	// processes says that they are missed (process.ContextMissesHooks). They are
	// optional.
	OnDemand bool
	// Slot is where the library's offsets struct says whether the hook has
	// probes in a binary, in bytes: a uint32 there, 1 or 0. Several hooks may
	// share one, of which a binary has one at the most. 0: nobody needs to know.
	Slot uintptr
	// SiteSlot is where the offsets struct says at what distance from the start
	// of the binary's code the hook's probe is: a uint32 there, Absent unless
	// there is exactly one probe. With it, and the program counter, a program
	// knows where in the process the binary's code is. 0: nobody needs to know.
	SiteSlot uintptr
}

// Deferred is a function that another one defers. Where the planner finds out how, its entry, or the branch around
// its call, takes the place of the returns before which it runs: these may be emulated, where the returns are not.
type Deferred struct {
	Symbols []string // full names, of which it has one by version: "net/http.(*Transport).roundTrip.func1"
	Program string
	Results int // how many registers the results take, up to 4
	// Slot is where the offsets struct says where the results lie, by register of the ABI, how
	// large the frame is to the return address, and how far the frame is from the stack pointer at the probe: Results + 2 times a
	// uint32, in bytes, the first two from the frame's lower end. All are Absent where the returns have probes instead.
	Slot uintptr
}

// Function is one whose address the library's programs need, to know what type
// an interface holds: the itab has the addresses of the type's methods.
type Function struct {
	Symbol string
	// Slot is where its distance from the start of the binary's code goes in
	// the library's offsets struct: a uint32 there, Absent if there is none.
	Slot uintptr
}

// Mark is a function that some versions of a module have and others do not, so that a
// binary that has it was built with one of those. It is of use if the compiler does
// not inline it.
type Mark struct {
	Module, Package string // "google.golang.org/grpc", and the import path
	Receiver        string // name of the type whose pointers have the method; "": no method
	Name            string
}

// Symbol is the mark's full name: "net/http.(*response).finishRequest".
func (m Mark) Symbol() string {
	if m.Receiver == "" {
		return m.Package + "." + m.Name
	}
	return m.Package + ".(*" + m.Receiver + ")." + m.Name
}

// Field is what the tables know the mark by: it has no offset, but exists or not.
func (m Mark) Field() model.Field {
	receiver := m.Receiver
	if receiver == "" {
		receiver = "func"
	}
	return model.Field{Module: m.Module, Package: m.Package, Struct: receiver, Field: m.Name + "()"}
}

// Type is one whose address the library's programs need, to know it in an empty
// interface.
type Type struct {
	Name string // as reflect.Type.String has it: "metadata.mdIncomingKey"
	// Slot is where its distance from the start of the binary's code goes, as that
	// of a function does.
	Slot uintptr
}

// Field is an offset that the library's programs need.
type Field struct {
	model.Field
	// Slot is where the offset goes in the library's offsets struct, in bytes:
	// a uint32 there. Take it with unsafe.Offsetof from the generated type. Fields
	// that are one under several names, by version, share a slot.
	Slot uintptr
	// Optional fields may be missing from a version of the library, or not be
	// known: the slot then holds Absent, and the programs do without.
	Optional bool
}

// Absent is what a slot holds for a field that does not exist or is not known.
const Absent = ^uint32(0)

// ModuleTypes is the one field whose slot does not hold an offset: it gets what
// the field itself says, where the binary's types are, as a distance from the
// start of its code.
var ModuleTypes = model.Field{Module: model.ModuleStd, Package: "runtime", Struct: "moduledata", Field: "types"}

// HeaderSlots is a field of what the compiler makes for a map of headers, if its
// groups hold slots of a key and an element each. Only debug information tells.
var HeaderSlots = model.Field{Module: model.ModuleStd, Package: "noalg", Struct: "map.group[string][]string", Field: "slots"}

// GoidGenerator is no field of a struct: its slot gets where runtime.sched.goidgen is, the
// last id that was given out to a goroutine, as a distance from the start of the binary's code.
var GoidGenerator = model.Field{Module: model.ModuleStd, Package: "runtime", Struct: "sched", Field: "goidgen"}

// MapLayout is no field of a struct either: its "offset" says how Go's maps lie in
// memory.
var MapLayout = model.Field{Module: model.ModuleStd, Package: "runtime", Struct: "map", Field: "layout"}

// InTable reports whether a field is one of a struct in sources, whose offset the table
// has. Others follow from the version of Go or from the binary's code.
func InTable(field model.Field) bool { return field != MapLayout && field != GoidGenerator }

// NewGoroutine is the function whose code tells where that is.
const NewGoroutine = "runtime.newproc1"

// Fields of every binary, by which it is told whether a goroutine has ended.
var (
	GoroutineID     = model.Field{Module: model.ModuleStd, Package: "runtime", Struct: "g", Field: "goid"}
	GoroutineStatus = model.Field{Module: model.ModuleStd, Package: "runtime", Struct: "g", Field: "atomicstatus"}
)

// Fields lists what is looked up, each field once: what the libraries need, and
// what is asked of every binary.
func Fields(libraries []Library) []model.Field {
	fields := []model.Field{GoroutineID, GoroutineStatus}
	for _, mark := range Marks(libraries) {
		fields = append(fields, mark.Field())
	}
	for _, library := range libraries {
		for _, field := range library.Fields {
			if !slices.Contains(fields, field.Field) {
				fields = append(fields, field.Field)
			}
		}
	}
	return fields
}

// Marks lists those of the libraries, each once.
func Marks(libraries []Library) []Mark {
	var marks []Mark
	for _, library := range libraries {
		for _, mark := range library.Marks {
			if !slices.Contains(marks, mark) {
				marks = append(marks, mark)
			}
		}
	}
	return marks
}

// Symbols lists the functions that the libraries hook, or ask for.
func Symbols(libraries []Library) []string {
	var symbols []string
	for _, library := range libraries {
		for _, hook := range library.Hooks {
			symbols = append(symbols, hook.Symbol)
			if hook.Callee != "" {
				symbols = append(symbols, hook.Callee)
			}
			if hook.Deferred != nil {
				symbols = append(symbols, hook.Deferred.Symbols...)
			}
			symbols = append(symbols, hook.With...)
			if hook.Without != "" {
				symbols = append(symbols, hook.Without)
			}
		}
		for _, function := range library.Functions {
			symbols = append(symbols, function.Symbol)
		}
		for _, mark := range library.Marks {
			symbols = append(symbols, mark.Symbol())
		}
		for _, field := range library.Fields {
			if field.Field == GoidGenerator {
				symbols = append(symbols, NewGoroutine)
			}
		}
	}
	return symbols
}

// Structs is the set of structs of those fields, and of what debug information alone
// is asked for, each as "package.Struct".
func Structs(libraries []Library) map[string]bool {
	structs := map[string]bool{}
	for _, field := range append(Fields(libraries), HeaderSlots) {
		structs[field.Package+"."+field.Struct] = true
	}
	return structs
}

// Option is something that a user may want or not.
type Option uint8

const (
	// Always is what is loaded in any case.
	Always Option = iota
	// Inject lets programs write to the memory of targets, which not every kernel does.
	Inject
	// GoroutineAncestry has a probe in the start of goroutines.
	GoroutineAncestry
)

// String is the key of the receiver's configuration that says what is wanted; "" for Always.
func (o Option) String() string {
	switch o {
	case Inject:
		return "propagation.inject"
	case GoroutineAncestry:
		return "propagation.goroutine_ancestry"
	}
	return ""
}

// Library is one instrumented library.
type Library struct {
	Name string // "net/http": names the scope, the log lines and the inspection's sections
	// Auxiliary libraries have no spans, but work for others: all of their hooks have
	// IfTraced.
	Auxiliary bool
	// Option is what has to be wanted, and possible, for the library to be loaded.
	Option Option
	Hooks  []Hook
	Fields []Field
	// Children names the libraries whose operations look for their parents among this one's, in the
	// same process.
	Children []string
	// ChildrenSlot is where the offsets struct says whether one of them is traced in the binary: 1 or
	// 0. 0: nowhere.
	ChildrenSlot uintptr
	// Functions are what types are known by; nothing is attached to them.
	Functions []Function
	// Types are those that are known by their own address.
	Types []Type
	// Marks tell versions apart of modules of which fields are needed.
	Marks []Mark
	// OffsetsSize is the size in bytes of the struct that all slots lie in: the
	// value of the object's "offsets" map.
	OffsetsSize uintptr
	// Load returns a fresh specification of the library's compiled object. What a
	// process leaves in its map "operations" is removed and counted.
	Load func() (*ebpf.CollectionSpec, error)
	// Decode completes span from one whole record that the library's programs
	// sent; the common head of it (bpf/include/span.h) is decoded already. It
	// must survive any bytes, does not keep record, and appends to
	// span.Attributes, which comes empty.
	Decode func(record []byte, span *model.Span) error
}
