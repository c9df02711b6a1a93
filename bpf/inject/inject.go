// Package inject writes the context of a client's span into the request that it is of, so that
// it is found on another host. It has no spans of its own.
package inject

import (
	"unsafe"

	"github.com/spanprobe/spanprobe/bpf/golang"
	"github.com/spanprobe/spanprobe/internal/probe"
)

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package inject -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type inject_offsets inject inject.bpf.c -- -I../include -Wall -Werror -mcpu=v3

const (
	moduleNet  = "golang.org/x/net"
	httpClient = "net/http/client"
	grpcClient = "google.golang.org/grpc/client"
)

// Library writes traceparent headers.
func Library() probe.Library {
	var o injectInjectOffsets
	fields := []probe.Field{
		golang.Optional("bufio", "Writer", "buf", unsafe.Offsetof(o.WriterBuf)),
		golang.Optional("bufio", "Writer", "n", unsafe.Offsetof(o.WriterN)),
	}
	fields = append(fields, frameFields("std", "net/http", "http2HeadersFrameParam", unsafe.Offsetof(o.Bundled))...)
	fields = append(fields, frameFields("std", "net/http/internal/http2", "HeadersFrameParam", unsafe.Offsetof(o.Internal))...)
	fields = append(fields, frameFields(moduleNet, moduleNet+"/http2", "HeadersFrameParam", unsafe.Offsetof(o.Net))...)
	return probe.Library{
		Name:      "traceparent",
		Auxiliary: true,
		Option:    probe.Inject,
		Hooks: []probe.Hook{
			{Symbol: "net/http.(*transferWriter).writeHeader", Event: probe.Enter, Program: "inject_line", Optional: true, IfTraced: []string{httpClient}},
			{Symbol: "net/http.(*http2Framer).WriteHeaders", Event: probe.Enter, Program: "inject_bundled_field", Optional: true, IfTraced: []string{httpClient}},
			{Symbol: "net/http/internal/http2.(*Framer).WriteHeaders", Event: probe.Enter, Program: "inject_internal_field", Optional: true, IfTraced: []string{httpClient}},
			{Symbol: moduleNet + "/http2.(*Framer).WriteHeaders", Event: probe.Enter, Program: "inject_net_field", Optional: true, IfTraced: []string{httpClient, grpcClient}},
		},
		Fields:      fields,
		OffsetsSize: unsafe.Sizeof(o),
		Load:        loadInject,
	}
}

// frameFields lists what is needed of the parameters of a HEADERS frame.
func frameFields(module, pkg, structName string, base uintptr) []probe.Field {
	var o injectInjectOffsets
	fields := []probe.Field{
		golang.FieldOf(module, pkg, structName, "StreamID", base+unsafe.Offsetof(o.Bundled.Stream)),
		golang.FieldOf(module, pkg, structName, "BlockFragment", base+unsafe.Offsetof(o.Bundled.Block)),
		golang.FieldOf(module, pkg, structName, "EndHeaders", base+unsafe.Offsetof(o.Bundled.EndHeaders)),
	}
	for i := range fields {
		fields[i].Optional = true
	}
	return fields
}
