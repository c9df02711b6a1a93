package grpc

import (
	"unsafe"

	"github.com/spanprobe/spanprobe/bpf/golang"
	"github.com/spanprobe/spanprobe/internal/probe"
)

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package grpc -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type stream_offsets -type stream_span server server.bpf.c -- -I../include -Wall -Werror -mcpu=v3

// Server traces the server of grpc.
func Server() probe.Library {
	var o serverStreamOffsets
	const transport = module + "/internal/transport"
	functions := []probe.Function{
		{Symbol: transport + ".(*http2Server).Close", Slot: unsafe.Offsetof(o.Http2Close)},
		{Symbol: transport + ".(*serverHandlerTransport).Close", Slot: unsafe.Offsetof(o.HandlerClose)},
	}
	functions = append(functions, golang.ConnFunctions(unsafe.Offsetof(o.Conn))...)
	functions = append(functions, golang.ContextFunctions(unsafe.Offsetof(o.Context))...)
	return probe.Library{
		Name:      module,
		Hooks:     serverHooks(),
		Functions: append(functions, golang.ParentFunctions(unsafe.Offsetof(o.Parent))...),
		Types: []probe.Type{
			{Name: "metadata.mdIncomingKey", Slot: unsafe.Offsetof(o.MetadataKey)},
		},
		Fields:       serverFields(),
		Marks:        marks(),
		Children:     []string{"net/http/client", module + "/client"},
		ChildrenSlot: unsafe.Offsetof(o.Parent) + unsafe.Offsetof(o.Parent.Children),
		OffsetsSize:  unsafe.Sizeof(o),
		Load:         loadServer,
		Decode:       decodeStream,
	}
}

func serverHooks() []probe.Hook {
	var o serverStreamOffsets
	const (
		http2   = module + "/internal/transport.(*http2Server)"
		handler = module + "/internal/transport.(*serverHandlerTransport)"
	)
	return []probe.Hook{
		{Symbol: module + ".(*Server).handleStream", Event: probe.Enter, Program: "start_stream", SiteSlot: unsafe.Offsetof(o.Site)},
		// Up to grpc 1.68 the first of two names, then the second.
		{Symbol: http2 + ".WriteStatus", Event: probe.Enter, Program: "end_stream", Without: http2 + ".writeStatus"},
		{Symbol: http2 + ".writeStatus", Event: probe.Enter, Program: "end_stream", Without: http2 + ".WriteStatus"},
		{Symbol: handler + ".WriteStatus", Event: probe.Enter, Program: "end_stream", Optional: true},
		{Symbol: handler + ".writeStatus", Event: probe.Enter, Program: "end_stream", Optional: true},
	}
}

func serverFields() []probe.Field {
	var o serverStreamOffsets
	const transport = "/internal/transport"
	fields := []probe.Field{
		golang.Field("runtime", "g", "goid", unsafe.Offsetof(o.G_goid)),
		// grpc 1.69 to 1.76, and from 1.77 on; before, there is no ServerStream.
		optional(transport, "ServerStream", "*Stream", unsafe.Offsetof(o.StreamPointer)),
		optional(transport, "ServerStream", "Stream", unsafe.Offsetof(o.StreamInside)),
		field(transport, "Stream", "ctx", unsafe.Offsetof(o.StreamContext)),
		field(transport, "Stream", "method", unsafe.Offsetof(o.StreamMethod)),
		optional("", "Server", "opts", unsafe.Offsetof(o.ServerOptions)),
		optional("", "serverOptions", "numServerWorkers", unsafe.Offsetof(o.OptionsWorkers)),
		optional(transport, "Stream", "id", unsafe.Offsetof(o.StreamId)),
		optional(transport, "http2Server", "conn", unsafe.Offsetof(o.TransportConn)),
		optional(transport, "http2Server", "remoteAddr", unsafe.Offsetof(o.RemoteAddr)),
		optional(transport, "http2Server", "peer", unsafe.Offsetof(o.Peer)),
		optional("/peer", "Peer", "Addr", unsafe.Offsetof(o.PeerAddr)),
		optional(transport, "serverHandlerTransport", "req", unsafe.Offsetof(o.HandlerRequest)),
		golang.Optional("net/http", "Request", "RemoteAddr", unsafe.Offsetof(o.RequestRemote)),
	}
	fields = append(fields, statusFields(unsafe.Offsetof(o.Status))...)
	fields = append(fields, golang.ConnFields(unsafe.Offsetof(o.Conn))...)
	fields = append(fields, golang.ContextFields(unsafe.Offsetof(o.Context))...)
	fields = append(fields, golang.ParentFields(unsafe.Offsetof(o.Parent))...)
	return append(fields, golang.MapFields(unsafe.Offsetof(o.Map))...)
}
