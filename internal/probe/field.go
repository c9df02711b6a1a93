package probe

import (
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// Absent is what a slot holds for a field that does not exist or is not known.
const Absent = wire.Absent

// Field is an offset that the library's programs need.
type Field struct {
	model.Field
	// Slot is where the offset goes in the library's offsets struct, in bytes: a uint32 there. It
	// is the unsafe.Offsetof of the generated type. Fields that are one under several names, by
	// version, share a slot.
	Slot uintptr
	// Optional fields may be missing from a version of the library, or not be known. The slot then
	// holds Absent, and the programs do without.
	Optional bool
}

// Function is one whose address the library's programs need, to know what type an interface
// holds: the itab has the addresses of the type's methods. Nothing is attached to it.
type Function struct {
	Symbol string // full name; "": none, and the slot holds Absent
	// Slot is where its distance from the start of the binary's code goes in the library's offsets
	// struct: a uint32 there, Absent if there is none.
	Slot uintptr
}

// Type is one whose address the library's programs need, to know it in an empty interface.
type Type struct {
	Package string // its path: "example.com/shop/metadata"
	Name    string // as reflect.Type.String has it: "metadata.mdIncomingKey"
	// Slot is where its distance from the start of the binary's code goes, as that of a function
	// does.
	Slot uintptr
}

// Mark is a function that some versions of a module have and others do not. A binary that has it
// was built with one of those. It is of use if the compiler does not inline it.
type Mark struct {
	Module, Package string // the module's path, and the import path
	Receiver        string // name of the type whose pointers have the method; "": no method
	Name            string
}

// Symbol is the mark's full name: "example.com/m/p.(*Server).serve".
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
	return model.Field{
		Module: m.Module, Package: m.Package, Struct: receiver, Field: m.Name + "()",
	}
}

func ofRuntime(structName, field string) model.Field {
	return model.Field{
		Module: model.ModuleStd, Package: "runtime", Struct: structName, Field: field,
	}
}

var (
	// ModuleTypes is the one field whose slot does not hold an offset. It gets the value of the
	// field itself, which says where the binary's types are, as a distance from the start of its
	// code.
	ModuleTypes = ofRuntime("moduledata", "types")

	// HeaderSlots is a field of what the compiler makes for a map of headers, if its groups hold
	// slots of a key and an element each. Only debug information tells.
	HeaderSlots = model.Field{
		Module: model.ModuleStd, Package: "noalg", Struct: "map.group[string][]string",
		Field: "slots",
	}

	// GoidGenerator is no field of a struct: its slot gets the place of runtime.sched.goidgen, the
	// last id that was given out to a goroutine, as a distance from the start of the binary's code.
	GoidGenerator = ofRuntime("sched", "goidgen")

	// MapLayout is no field of a struct either: its "offset" says how Go's maps lie in memory.
	MapLayout = ofRuntime("map", "layout")

	// GoroutineID is asked of every binary. It tells, with GoroutineStatus, whether a goroutine has
	// ended.
	GoroutineID = ofRuntime("g", "goid")
	// GoroutineStatus is asked of every binary, like GoroutineID.
	GoroutineStatus = ofRuntime("g", "atomicstatus")
)

// NewGoroutine is the function whose code tells where GoidGenerator is.
const NewGoroutine = "runtime.newproc1"

// InTable reports whether a field is one of a struct in sources, whose offset the table has. Others
// follow from the version of Go or from the binary's code.
func InTable(field model.Field) bool { return field != MapLayout && field != GoidGenerator }
