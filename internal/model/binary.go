// Package model holds the plain data that the steps of spanprobe hand to each
// other: what a binary is, what a process is, what a span is. It imports
// nothing but the standard library, and nothing in it touches a kernel.
package model

import "fmt"

// ExeID identifies the content of an executable file as stat(2) of
// /proc/<pid>/exe sees it. Two files with equal ExeIDs are taken for the same
// bytes: a file that was rewritten in place keeps Dev and Ino and differs in
// the rest.
type ExeID struct {
	Dev   uint64 // st_dev
	Ino   uint64 // st_ino
	Size  int64  // bytes
	Mtime int64  // nanoseconds since the epoch
}

func (id ExeID) String() string { return fmt.Sprintf("dev %d inode %d", id.Dev, id.Ino) }

// Arch is a processor architecture in Go's own spelling: "amd64" or "arm64".
type Arch string

// The architectures that spanprobe has objects for.
const (
	AMD64 Arch = "amd64"
	ARM64 Arch = "arm64"
)

// ModuleStd is the pseudo module path of the standard library; its version is
// the version of Go ("1.26.8", without the leading "go").
const ModuleStd = "std"

// Module is one module that was linked into a binary, from its build
// information.
type Module struct {
	Path string `json:"path"`
	// as in go.mod ("v1.2.3"); "(devel)" or "" when the build did not know it
	Version string `json:"version"`
	// "path@version" of what really was compiled, when a replace directive was in force
	Replace string `json:"replace,omitempty"`
}

// Binary is what inspection finds out about one Go executable.
type Binary struct {
	Path string `json:"path"`
	// "1.26.8", "1.27rc1", "devel …"; no leading "go"
	GoVersion string   `json:"go_version"`
	Arch      Arch     `json:"arch"`
	Main      Module   `json:"main"`
	Modules   []Module `json:"modules,omitempty"` // sorted by path
	// build settings: -buildmode, GOEXPERIMENT, CGO_ENABLED, …
	Settings map[string]string `json:"settings,omitempty"`
	// no symbol table (the pclntab is always there)
	Stripped bool `json:"stripped"`
	DWARF    bool `json:"dwarf"` // has .debug_info
	PIE      bool `json:"pie"`
	// NoBuildInfo: it has no build information. GoVersion is what the debug information
	// says, without experiments; Main, Modules and Settings are not known.
	NoBuildInfo bool `json:"no_build_info,omitempty"`
	// Plugins: it can load plugins (-buildmode=plugin), whose code is not looked at.
	Plugins bool `json:"plugins,omitempty"`
	// TracerProvider is the function that makes tracer providers of OpenTelemetry's
	// SDK, by its full name, if the binary has it: who has it makes spans of its own.
	TracerProvider string `json:"tracer_provider,omitempty"`
	// Functions holds those of the wanted functions that exist, by symbol name. Where packages are
	// in a vendor folder, the name is without it.
	Functions map[string]Function `json:"-"`
	// Elsewhere holds the wanted functions that exist under another path, of a fork or of a second
	// copy, each with one such name.
	Elsewhere map[string]string `json:"elsewhere,omitempty"`
	// Inlined holds those of the wanted functions that the compiler has inlined
	// somewhere, each with one function that it was inlined into: a probe on the
	// function does not see those calls. InlinedUnknown says that it is not known
	// which.
	Inlined        map[string]string `json:"inlined,omitempty"`
	InlinedUnknown bool              `json:"inlined_unknown,omitempty"`
	// Text is the virtual address, as linked, that the code starts at, and
	// Moduledata the first words of runtime.moduledata, as they are once the
	// binary was loaded at the addresses that it was linked for. Without
	// Moduledata, neither is known.
	Text       uint64   `json:"-"`
	Moduledata []uint64 `json:"-"`
}

// Function is one function of a binary.
type Function struct {
	Name       string
	Address    uint64 // virtual address of the entry, as linked
	FileOffset uint64 // offset of the entry in the file, bytes: what uprobes are attached by
	Code       []byte // the machine code from the entry on, up to MaxCode bytes
}

// MaxCode is how many bytes of a function's code are read at the most.
const MaxCode = 32 << 10

// Field names a struct field whose byte offset a probe needs.
type Field struct {
	Module  string `json:"module"`  // ModuleStd, or a module path
	Package string `json:"package"` // import path: "net/url"
	Struct  string `json:"struct"`  // type name: "URL"
	// Field is the field's name: "Path". "*Stream" is Stream where that is a
	// pointer, and is none of the struct's where it is not.
	Field string `json:"field"`
}

func (f Field) String() string { return f.Package + "." + f.Struct + "." + f.Field }

// Source says where an offset came from.
type Source string

// The sources of offsets, in the order in which they are asked.
const (
	SourceTable Source = "table" // the embedded table, for exactly this version
	SourceDWARF Source = "dwarf" // the debug information of the binary itself
	// SourceCandidates: all versions agree that fit what the binary has.
	SourceCandidates Source = "candidates"
	SourceRuntime    Source = "runtime" // follows from the Go version and its experiments
)

// FieldOffset is the answer to "where is this field in this binary".
type FieldOffset struct {
	Offset uint64 // bytes from the start of the struct
	Exists bool   // false: this version of the struct is known, and has no such field
	Source Source
}

// FieldLookup answers for one binary. An error means that the layout is not
// known: never an offset of zero.
type FieldLookup func(Field) (FieldOffset, error)

// TypeLookup finds where a binary describes a type, as a virtual address. types is
// where its descriptions begin (moduledata.types), pkg the path of the type's package, name the
// type's name as reflect.Type.String has it.
type TypeLookup func(types uint64, pkg, name string) (uint64, error)
