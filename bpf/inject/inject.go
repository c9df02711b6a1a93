// Package inject writes the context of a client's span into the request that it is of, so that
// it is found on another host. It has no spans of its own.
package inject

import (
	"unsafe"

	"github.com/spanprobe/spanprobe/bpf/golang"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package inject -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type inject_offsets inject inject.bpf.c -- -I../include -Wall -Werror -mcpu=v3

const (
	moduleNet  = "golang.org/x/net"
	moduleGRPC = "google.golang.org/grpc"
	httpClient = "net/http/client"
	grpcClient = moduleGRPC + "/client"
)

// Library writes traceparent headers.
func Library() probe.Library {
	var o injectInjectOffsets
	fields := []probe.Field{
		golang.Optional("bufio", "Writer", "buf", unsafe.Offsetof(o.WriterBuf)),
		golang.Optional("bufio", "Writer", "n", unsafe.Offsetof(o.WriterN)),
	}
	for _, f := range []probe.Field{
		golang.FieldOf(moduleGRPC, moduleGRPC+"/internal/transport", "bufWriter", "buf", unsafe.Offsetof(o.GrpcBuf)),
		golang.FieldOf(moduleGRPC, moduleGRPC+"/internal/transport", "bufWriter", "bufHandle", unsafe.Offsetof(o.GrpcBufPointer)),
		golang.FieldOf(moduleGRPC, moduleGRPC+"/internal/transport", "bufWriter", "offset", unsafe.Offsetof(o.GrpcN)),
	} {
		f.Optional = true
		fields = append(fields, f)
	}
	hooks := []probe.Hook{
		{Symbol: "net/http.(*transferWriter).writeHeader", Event: probe.Enter, Program: "inject_line", Optional: true, IfTraced: []string{httpClient}},
	}
	for _, framer := range []struct {
		module, pkg, prefix string
		program             string
		base                uintptr
		clients             []string
	}{
		{model.ModuleStd, "net/http", "http2", "inject_bundled_field", unsafe.Offsetof(o.Bundled), []string{httpClient}},
		{model.ModuleStd, "net/http/internal/http2", "", "inject_internal_field", unsafe.Offsetof(o.Internal), []string{httpClient}},
		{moduleNet, moduleNet + "/http2", "", "inject_net_field", unsafe.Offsetof(o.Net), []string{httpClient, grpcClient}},
	} {
		fields = append(fields, frameFields(framer.module, framer.pkg, framer.prefix, framer.base)...)
		// A HEADERS frame is where programs can reach it, by the architecture.
		for _, by := range []struct {
			arch   model.Arch
			method string
		}{{model.AMD64, "WriteHeaders"}, {model.ARM64, "endWrite"}} {
			symbol := framer.pkg + ".(*" + framer.prefix + "Framer)." + by.method
			hooks = append(hooks, probe.Hook{Symbol: symbol, Event: probe.Enter, Program: framer.program, Arch: by.arch, Optional: true, IfTraced: framer.clients})
		}
	}
	return probe.Library{
		Name:        "traceparent",
		Auxiliary:   true,
		Option:      probe.Inject,
		Hooks:       hooks,
		Fields:      fields,
		OffsetsSize: unsafe.Sizeof(o),
		Load:        loadInject,
	}
}

// frameFields lists what is needed of a HEADERS frame.
func frameFields(module, pkg, prefix string, base uintptr) []probe.Field {
	var o injectInjectOffsets
	fields := []probe.Field{
		golang.FieldOf(module, pkg, prefix+"HeadersFrameParam", "StreamID", base+unsafe.Offsetof(o.Bundled.Stream)),
		golang.FieldOf(module, pkg, prefix+"HeadersFrameParam", "BlockFragment", base+unsafe.Offsetof(o.Bundled.Block)),
		golang.FieldOf(module, pkg, prefix+"HeadersFrameParam", "EndHeaders", base+unsafe.Offsetof(o.Bundled.EndHeaders)),
		golang.FieldOf(module, pkg, prefix+"Framer", "wbuf", base+unsafe.Offsetof(o.Bundled.Buffer)),
		golang.FieldOf(module, pkg, prefix+"Framer", "w", base+unsafe.Offsetof(o.Bundled.Writer)),
	}
	for i := range fields {
		fields[i].Optional = true
	}
	return fields
}
