// Package goroutine notes for which request goroutines are started. It has no spans of its own.
package goroutine

import (
	"unsafe"

	"github.com/spanprobe/spanprobe/bpf/golang"
	"github.com/spanprobe/spanprobe/internal/probe"
)

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package goroutine -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type goroutine_offsets goroutine goroutine.bpf.c -- -I../include -Wall -Werror -mcpu=v3

// Library sees goroutines being started: src/runtime/proc.go, newproc, has a new one put into a
// processor's queue. The instruction that calls for it is emulated, and has the goroutine in a register.
func Library() probe.Library {
	var o goroutineGoroutineOffsets
	return probe.Library{
		Name:      "runtime",
		Auxiliary: true,
		Option:    probe.GoroutineAncestry,
		Hooks: []probe.Hook{{
			Symbol: "runtime.newproc.func1", Event: probe.Call, Callee: "runtime.runqput", Program: "note_goroutine", Optional: true,
			IfTraced: []string{"net/http/client", "google.golang.org/grpc/client"},
		}},
		Fields: []probe.Field{
			golang.Field("runtime", "g", "goid", unsafe.Offsetof(o.G_goid)),
			golang.Optional("runtime", "g", "parentGoid", unsafe.Offsetof(o.G_parentGoid)),
		},
		OffsetsSize: unsafe.Sizeof(o),
		Load:        loadGoroutine,
	}
}
