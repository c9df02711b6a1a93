// Package goroutine notes for which request goroutines are started. It has no spans of its own.
package goroutine

import (
	"unsafe"

	"github.com/spanprobe/spanprobe/bpf/golang"
	"github.com/spanprobe/spanprobe/internal/probe"
)

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package goroutine -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type goroutine_offsets goroutine goroutine.bpf.c -- -I../include -Wall -Werror -mcpu=v3

// Name is the name of the library.
const Name probe.Name = "runtime"

// Libraries lists the one of this folder.
func Libraries() []probe.Library { return []probe.Library{Library()} }

// Library sees goroutines being started: src/runtime/proc.go, newproc, has a new one put into a
// processor's queue. The instruction that calls for it is emulated, and has the goroutine in a
// register. Only operations that look for their parents need to know.
func Library() probe.Library {
	var o goroutineGoroutineOffsets
	return probe.Library{
		Name:     Name,
		WorksFor: []probe.Role{probe.RoleClient},
		Option:   probe.GoroutineAncestry,
		Hooks: []probe.Hook{{
			Symbol: "runtime.newproc.func1", Event: probe.Call, Callee: "runtime.runqput",
			Program: "note_goroutine", Optional: true,
		}},
		Fields: append(golang.ParentFields(unsafe.Offsetof(o.Parent)),
			golang.Field("runtime", "g", "goid", unsafe.Offsetof(o.G_goid)),
			golang.Optional("runtime", "m", "curg", unsafe.Offsetof(o.M_curg)),
		),
		Functions:   golang.ParentFunctions(unsafe.Offsetof(o.Parent), ""),
		OffsetsSize: unsafe.Sizeof(o),
		Load:        loadGoroutine,
	}
}
