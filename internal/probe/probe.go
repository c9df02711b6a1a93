// Package probe is the contract between the folder of an instrumented library (bpf/<library>)
// and the engine, which plans, attaches and reads its probes.
package probe

import (
	"github.com/cilium/ebpf"

	"github.com/spanprobe/spanprobe/internal/model"
)

// Name identifies a library: "example.com/m". The scope of its spans, log lines and the sections of
// the inspection have it. A library's folder exports its name as a constant of this type, by which
// other folders refer to it.
type Name string

// Role says what the operations of a library are. The planner derives from it which libraries
// work together in a binary.
type Role uint8

// The roles. A library without one has no operations: see Library.WorksFor.
const (
	_ Role = iota
	// RoleServer is that of requests which arrive. Other operations may be their children.
	RoleServer
	// RoleClient is that of requests which are sent. They look for their parents among the
	// operations that have children.
	RoleClient
)

// HasChildren tells whether other operations in the same process may be children of these.
func (r Role) HasChildren() bool { return r == RoleServer }

// SeeksParents tells whether these look for their parents in the same process, among all that
// have children.
func (r Role) SeeksParents() bool { return r == RoleClient }

// Option is something that a user may want or not.
type Option uint8

const (
	// Always is the option of what is loaded in any case.
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

// Library is one side of an instrumented library, such as its server, or an auxiliary one: an
// object of programs without spans that work for others. Check says what must hold of it.
type Library struct {
	Name Name
	// Role is that of the library's operations. Auxiliary libraries have none.
	Role Role
	// WorksFor makes a library auxiliary: its hooks have probes in binaries in which a library
	// of one of these roles is traced.
	WorksFor []Role
	// Option is what has to be wanted, and possible, for the library to be loaded.
	Option Option
	// Hooks are where the programs are attached.
	Hooks []Hook
	// Fields, Functions and Types are what the programs must know of a binary to read it.
	Fields    []Field
	Functions []Function
	Types     []Type
	// Marks tell versions apart of modules of which fields are needed.
	Marks []Mark
	// Rules say how the table of offsets comes to know the fields' modules. Rules of a module that
	// several libraries have are joined.
	Rules []Rule
	// ChildrenSlot is where the offsets struct says whether operations of this binary may be
	// children of this library's: 1 or 0, in a uint32. Only roles with children have it.
	ChildrenSlot uintptr
	// Parents names libraries among whose operations this one's look for their parents, beside
	// those that roles say. They are pairs such as a request that becomes a call.
	Parents []Name
	// Extensions are what this library adds to the programs of others.
	Extensions []Extension
	// OffsetsSize is the size in bytes of the struct that all slots lie in: the value of the
	// object's map "offsets".
	OffsetsSize uintptr
	// Load returns a fresh specification of the library's compiled object. The engine removes and
	// counts what a process leaves in its map "operations".
	Load func() (*ebpf.CollectionSpec, error)
	// Decode completes span from one whole record that the library's programs sent. The common
	// head of the record (bpf/include/span.h) is decoded already. Decode must survive any bytes. It
	// does not keep record, and appends to span.Attributes, which comes empty.
	Decode func(record []byte, span *model.Span, options DecodeOptions) error
	// Attributes documents what Decode may append.
	Attributes []Attribute
	// Support are the library's sections of the page of what is supported.
	Support []Support
}

// Auxiliary tells whether the library has no spans, but works for others.
func (l *Library) Auxiliary() bool { return len(l.WorksFor) > 0 }

// DecodeOptions says what of a record may become attributes.
type DecodeOptions struct {
	Query model.QueryMode // of the query of a URL
}
