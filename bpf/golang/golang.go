// Package golang lists what the headers of bpf/include read of Go's own runtime and
// standard library, for the libraries whose programs include them: fields, and the
// functions by which types are known. Each list is for a struct of offsets that lies
// at base in the library's own.
package golang

import (
	"unsafe"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package golang -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type conn_offsets -type context_offsets -type map_offsets -type parent_offsets -type type_offsets layouts layouts.bpf.c -- -I../include -Wall -Werror -mcpu=v3

// Field is one of the standard library that the programs cannot do without.
func Field(pkg, structName, name string, slot uintptr) probe.Field {
	return FieldOf(model.ModuleStd, pkg, structName, name, slot)
}

// FieldOf is one of a module.
func FieldOf(module, pkg, structName, name string, slot uintptr) probe.Field {
	return probe.Field{
		Field: model.Field{Module: module, Package: pkg, Struct: structName, Field: name},
		Slot:  slot,
	}
}

// Optional is one that some versions do not have.
func Optional(pkg, structName, name string, slot uintptr) probe.Field {
	f := Field(pkg, structName, name, slot)
	f.Optional = true
	return f
}

// ConnFields lists what a net.Conn is known by, and its peer: struct conn_offsets.
func ConnFields(base uintptr) []probe.Field {
	var o layoutsConnOffsets
	wrapped := base + unsafe.Offsetof(o.Wrapped)
	return []probe.Field{
		Optional("runtime", "itab", "fun", base+unsafe.Offsetof(o.ItabFun)),
		Optional("internal/abi", "ITab", "Fun", base+unsafe.Offsetof(o.ItabFun)),
		Optional("crypto/tls", "Conn", "conn", base+unsafe.Offsetof(o.TlsConn)),
		Optional("net", "conn", "fd", base+unsafe.Offsetof(o.ConnFd)),
		Optional("net", "netFD", "raddr", base+unsafe.Offsetof(o.FdRaddr)),
		Optional("net", "TCPAddr", "IP", base+unsafe.Offsetof(o.TcpIp)),
		Optional("net", "TCPAddr", "Port", base+unsafe.Offsetof(o.TcpPort)),
		Optional("net", "UnixAddr", "Name", base+unsafe.Offsetof(o.UnixName)),
		Optional("net", "netFD", "pfd", base+unsafe.Offsetof(o.FdPoll)),
		Optional("internal/poll", "FD", "Sysfd", base+unsafe.Offsetof(o.PollSysfd)),
		Optional("internal/poll", "FD", "fdmu", base+unsafe.Offsetof(o.PollMutex)),
		Optional("internal/poll", "fdMutex", "state", base+unsafe.Offsetof(o.MutexState)),
		Optional("runtime", "moduledata", "types", wrapped+unsafe.Offsetof(o.Wrapped.Types)),
		Optional("runtime", "itab", "_type", wrapped+unsafe.Offsetof(o.Wrapped.ItabType)),
		Optional("internal/abi", "ITab", "Type", wrapped+unsafe.Offsetof(o.Wrapped.ItabType)),
		Optional("internal/abi", "Type", "TFlag", wrapped+unsafe.Offsetof(o.Wrapped.Described)),
	}
}

// ConnFunctions lists the functions by which the types of connections and addresses are known:
// struct conn_offsets. wrapper is the method Close of a library's own type of connections that
// begins with another net.Conn; "" if it has none.
func ConnFunctions(base uintptr, wrapper string) []probe.Function {
	var o layoutsConnOffsets
	return []probe.Function{
		{Symbol: "net.(*TCPConn).Close", Slot: base + unsafe.Offsetof(o.TcpClose)},
		{Symbol: "net.(*UnixConn).Close", Slot: base + unsafe.Offsetof(o.UnixClose)},
		{Symbol: "crypto/tls.(*Conn).Close", Slot: base + unsafe.Offsetof(o.TlsClose)},
		{Symbol: wrapper, Slot: base + unsafe.Offsetof(o.WrapperClose)},
		{Symbol: "net.(*TCPAddr).Network", Slot: base + unsafe.Offsetof(o.TcpNetwork)},
		{Symbol: "net.(*UnixAddr).Network", Slot: base + unsafe.Offsetof(o.UnixNetwork)},
	}
}

// TypeFields lists what the name of a value's type needs: struct type_offsets.
// Some have had two names.
func TypeFields(base uintptr) []probe.Field {
	var o layoutsTypeOffsets
	return []probe.Field{
		Optional("runtime", "moduledata", "types", base+unsafe.Offsetof(o.Types)),
		Optional("runtime", "itab", "_type", base+unsafe.Offsetof(o.ItabType)),
		Optional("internal/abi", "ITab", "Type", base+unsafe.Offsetof(o.ItabType)),
		Optional("runtime", "_type", "tflag", base+unsafe.Offsetof(o.Tflag)),
		Optional("internal/abi", "Type", "TFlag", base+unsafe.Offsetof(o.Tflag)),
		Optional("runtime", "_type", "str", base+unsafe.Offsetof(o.Str)),
		Optional("internal/abi", "Type", "Str", base+unsafe.Offsetof(o.Str)),
	}
}

// ContextFields lists what a walk of contexts needs: struct context_offsets.
func ContextFields(base uintptr) []probe.Field {
	var o layoutsContextOffsets
	return []probe.Field{
		Optional("context", "valueCtx", "Context", base+unsafe.Offsetof(o.ValueContext)),
		Optional("context", "valueCtx", "key", base+unsafe.Offsetof(o.ValueKey)),
		Optional("context", "valueCtx", "val", base+unsafe.Offsetof(o.ValueVal)),
	}
}

// ContextFunctions lists the functions by which contexts are known: struct
// context_offsets.
func ContextFunctions(base uintptr) []probe.Function {
	var o layoutsContextOffsets
	return []probe.Function{
		{Symbol: "context.(*valueCtx).Deadline", Slot: base + unsafe.Offsetof(o.ValueDeadline)},
	}
}

// ParentFields lists what is needed to find the parent of a span inside a process: struct
// parent_offsets.
func ParentFields(base uintptr) []probe.Field {
	var o layoutsParentOffsets
	return []probe.Field{
		Optional("runtime", "g", "parentGoid", base+unsafe.Offsetof(o.G_parentGoid)),
		Optional("runtime", "g", "waitreason", base+unsafe.Offsetof(o.G_waitreason)),
		Optional("runtime", "g", "startpc", base+unsafe.Offsetof(o.G_startpc)),
		Optional("runtime", "g", "m", base+unsafe.Offsetof(o.G_m)),
		Optional("runtime", "m", "p", base+unsafe.Offsetof(o.M_p)),
		Optional("runtime", "p", "goidcache", base+unsafe.Offsetof(o.P_goidcache)),
		Optional("runtime", "p", "goidcacheend", base+unsafe.Offsetof(o.P_goidcacheend)),
		{Field: probe.GoidGenerator, Slot: base + unsafe.Offsetof(o.SchedGoidgen), Optional: true},
		Optional("context", "timerCtx", "timer", base+unsafe.Offsetof(o.TimerTimer)),
		Optional("runtime", "itab", "fun", base+unsafe.Offsetof(o.ItabFun)),
		Optional("internal/abi", "ITab", "Fun", base+unsafe.Offsetof(o.ItabFun)),
	}
}

// ParentFunctions lists the functions by which contexts and goroutines are known: struct
// parent_offsets. The types of contexts are those of src/context/context.go and
// src/os/signal/signal.go. handler is a function that a library runs as a goroutine to serve one
// request, with nothing to do for others; "" if it has none.
func ParentFunctions(base uintptr, handler string) []probe.Function {
	var o layoutsParentOffsets
	return []probe.Function{
		{Symbol: handler, Slot: base + unsafe.Offsetof(o.GoHandler)},
		{Symbol: "context.(*timerCtx).Deadline", Slot: base + unsafe.Offsetof(o.TimerDeadline)},
		{Symbol: "context.(*valueCtx).Deadline", Slot: base + unsafe.Offsetof(o.ValueDeadline)},
		{
			Symbol: "context.(*backgroundCtx).Deadline",
			Slot:   base + unsafe.Offsetof(o.BackgroundDeadline),
		},
		{Symbol: "context.(*todoCtx).Deadline", Slot: base + unsafe.Offsetof(o.TodoDeadline)},
		{Symbol: "context.(*cancelCtx).Deadline", Slot: base + unsafe.Offsetof(o.CancelDeadline)},
		{
			Symbol: "context.(*withoutCancelCtx).Deadline",
			Slot:   base + unsafe.Offsetof(o.WithoutCancelDeadline),
		},
		{
			Symbol: "context.(*afterFuncCtx).Deadline",
			Slot:   base + unsafe.Offsetof(o.AfterFuncDeadline),
		},
		{Symbol: "context.(*stopCtx).Deadline", Slot: base + unsafe.Offsetof(o.StopDeadline)},
		{
			Symbol: "os/signal.(*signalCtx).Deadline",
			Slot:   base + unsafe.Offsetof(o.SignalDeadline),
		},
	}
}

// MapFields lists what a walk of a map of headers needs: struct map_offsets. A
// binary has one of the two layouts; the fields of the other are absent. Without
// either, spans come without what headers tell.
func MapFields(base uintptr) []probe.Field {
	var o layoutsMapOffsets
	return []probe.Field{
		{Field: probe.MapLayout, Slot: base + unsafe.Offsetof(o.Layout), Optional: true},
		Optional("runtime", "hmap", "count", base+unsafe.Offsetof(o.HmapCount)),
		Optional("runtime", "hmap", "flags", base+unsafe.Offsetof(o.HmapFlags)),
		Optional("runtime", "hmap", "B", base+unsafe.Offsetof(o.HmapB)),
		Optional("runtime", "hmap", "buckets", base+unsafe.Offsetof(o.HmapBuckets)),
		Optional("runtime", "hmap", "oldbuckets", base+unsafe.Offsetof(o.HmapOldbuckets)),
		Optional("internal/runtime/maps", "Map", "used", base+unsafe.Offsetof(o.MapUsed)),
		Optional("internal/runtime/maps", "Map", "dirPtr", base+unsafe.Offsetof(o.MapDirPtr)),
		Optional("internal/runtime/maps", "Map", "dirLen", base+unsafe.Offsetof(o.MapDirLen)),
		Optional("internal/runtime/maps", "table", "groups", base+unsafe.Offsetof(o.TableGroups)),
		Optional("internal/runtime/maps", "groupsReference", "data",
			base+unsafe.Offsetof(o.GroupsData)),
		Optional("internal/runtime/maps", "groupsReference", "lengthMask",
			base+unsafe.Offsetof(o.GroupsLengthMask)),
	}
}
