package nethttp

import (
	"unsafe"

	"github.com/spanprobe/spanprobe/bpf/golang"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package nethttp -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type inject_offsets inject inject.bpf.c -- -I../include -Wall -Werror -mcpu=v3

// InjectName is the name of Inject.
const InjectName probe.Name = "traceparent"

// Inject writes the context of a client's span into the request that the span is of, so that it is
// found on another host: into the header lines of HTTP/1, and into the HEADERS frames of HTTP/2.
// The clients whose requests those are extend it with the functions to hook.
func Inject() probe.Library {
	var o injectInjectOffsets
	fields := []probe.Field{
		golang.Optional("bufio", "Writer", "buf", unsafe.Offsetof(o.WriterBuf)),
		golang.Optional("bufio", "Writer", "n", unsafe.Offsetof(o.WriterN)),
		golang.Optional("bufio", "Writer", "wr", unsafe.Offsetof(o.WriterWr)),
	}
	for _, f := range framers() {
		fields = append(fields, f.fields()...)
	}
	return probe.Library{
		Name:        InjectName,
		WorksFor:    []probe.Role{probe.RoleClient},
		Option:      probe.Inject,
		Fields:      fields,
		Rules:       rules(),
		OffsetsSize: unsafe.Sizeof(o),
		Load:        loadInject,
	}
}

// injected has Inject write headers into the requests of Client.
func injected() probe.Extension {
	hooks := []probe.Hook{{
		Symbol: "net/http.(*transferWriter).writeHeader", Event: probe.Enter,
		Program: "inject_line", Optional: true,
	}}
	for _, f := range framers() {
		hooks = append(hooks, f.hooks()...)
	}
	return probe.Extension{Of: InjectName, Hooks: hooks}
}

// Buffer is a library's own type of buffers: a struct with the bytes, or with a pointer to them,
// and with how many of them are used.
type Buffer struct{ Bytes, Pointer, Used model.Field }

// InjectedIntoFrames has Inject write headers into the requests of a library that sends them by the
// Framer of golang.org/x/net/http2, which writes to a buffer of the library's.
func InjectedIntoFrames(buffer Buffer) probe.Extension {
	var o injectInjectOffsets
	return probe.Extension{
		Of:    InjectName,
		Hooks: netFramer().hooks(),
		Fields: []probe.Field{
			{Field: buffer.Bytes, Slot: unsafe.Offsetof(o.OwnBuf), Optional: true},
			{Field: buffer.Pointer, Slot: unsafe.Offsetof(o.OwnBufPointer), Optional: true},
			{Field: buffer.Used, Slot: unsafe.Offsetof(o.OwnN), Optional: true},
		},
	}
}

// framer is a type that writes frames of HTTP/2, of which there are several copies.
type framer struct {
	module, pkg, prefix string
	program             string
	base                uintptr // of its struct frame_offsets
}

// framers are those of net/http, up to Go 1.26 and from 1.27 on, and of golang.org/x/net.
func framers() []framer {
	var o injectInjectOffsets
	return []framer{
		{
			model.ModuleStd, "net/http", "http2",
			"inject_bundled_field", unsafe.Offsetof(o.Bundled),
		},
		{
			model.ModuleStd, "net/http/internal/http2", "",
			"inject_internal_field", unsafe.Offsetof(o.Internal),
		},
		netFramer(),
	}
}

func netFramer() framer {
	var o injectInjectOffsets
	return framer{moduleNet, moduleNet + "/http2", "", "inject_net_field", unsafe.Offsetof(o.Net)}
}

// hooks are where a HEADERS frame is in memory that programs can reach, by the architecture.
func (f framer) hooks() []probe.Hook {
	hook := func(method string, arch model.Arch) probe.Hook {
		return probe.Hook{
			Symbol: f.pkg + ".(*" + f.prefix + "Framer)." + method, Event: probe.Enter,
			Program: f.program, Optional: true, When: []probe.Condition{probe.On(arch)},
		}
	}
	return []probe.Hook{hook("WriteHeaders", model.AMD64), hook("endWrite", model.ARM64)}
}

// fields lists what is needed of a HEADERS frame.
func (f framer) fields() []probe.Field {
	var o injectInjectOffsets
	return []probe.Field{
		f.field("HeadersFrameParam", "StreamID", unsafe.Offsetof(o.Bundled.Stream)),
		f.field("HeadersFrameParam", "BlockFragment", unsafe.Offsetof(o.Bundled.Block)),
		f.field("HeadersFrameParam", "EndHeaders", unsafe.Offsetof(o.Bundled.EndHeaders)),
		f.field("Framer", "wbuf", unsafe.Offsetof(o.Bundled.Buffer)),
		f.field("Framer", "w", unsafe.Offsetof(o.Bundled.Writer)),
	}
}

func (f framer) field(structName, name string, slot uintptr) probe.Field {
	field := golang.FieldOf(f.module, f.pkg, f.prefix+structName, name, f.base+slot)
	field.Optional = true
	return field
}
