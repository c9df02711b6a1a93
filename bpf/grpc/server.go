package grpc

import (
	"slices"
	"unsafe"

	"github.com/spanprobe/spanprobe/bpf/golang"
	"github.com/spanprobe/spanprobe/bpf/nethttp"
	"github.com/spanprobe/spanprobe/internal/probe"
)

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package grpc -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type stream_offsets -type stream_span -type status_code -type text_limit server server.bpf.c -- -I../include -Wall -Werror -mcpu=v3

// ServerName is the name of Server.
const ServerName probe.Name = module

// Server traces the server of grpc. It may be a handler of net/http's server, whose request then
// becomes a call.
func Server() probe.Library {
	var o serverStreamOffsets
	const (
		ofHTTP2   = module + transport + ".(*http2Server)"
		ofHandler = module + transport + ".(*serverHandlerTransport)"
	)
	return probe.Library{
		Name:  ServerName,
		Role:  probe.RoleServer,
		Hooks: serverHooks(),
		Functions: slices.Concat([]probe.Function{
			{Symbol: ofHTTP2 + ".Close", Slot: unsafe.Offsetof(o.Http2Close)},
			{Symbol: ofHandler + ".Close", Slot: unsafe.Offsetof(o.HandlerClose)},
		},
			golang.ConnFunctions(unsafe.Offsetof(o.Conn), connClose),
			golang.ContextFunctions(unsafe.Offsetof(o.Context)),
			golang.ParentFunctions(unsafe.Offsetof(o.Parent), nethttp.GoHandler)),
		Types: []probe.Type{
			metadataType("mdIncomingKey", unsafe.Offsetof(o.MetadataKey)),
		},
		Fields:       serverFields(),
		Marks:        marks(),
		Rules:        rules(),
		ChildrenSlot: unsafe.Offsetof(o.Parent) + unsafe.Offsetof(o.Parent.Children),
		Parents:      []probe.Name{nethttp.ServerName},
		Extensions: []probe.Extension{{
			Of: nethttp.ServerName,
			Hooks: []probe.Hook{{
				Symbol: ofHandler + ".HandleStreams", Event: probe.Enter,
				Program: nethttp.DiscardRequest, Optional: true,
			}},
		}},
		OffsetsSize: unsafe.Sizeof(o),
		Load:        loadServer,
		Decode:      decodeStream,
		Attributes:  serverAttributes,
		Support:     support,
	}
}

func serverHooks() []probe.Hook {
	var o serverStreamOffsets
	const (
		// Up to grpc 1.68 the first of two names, then the second.
		writeStatus = module + transport + ".(*http2Server).WriteStatus"
		nowStatus   = module + transport + ".(*http2Server).writeStatus"
		handler     = module + transport + ".(*serverHandlerTransport)"
	)
	ends := func(symbol string, optional bool, when ...probe.Condition) probe.Hook {
		return probe.Hook{
			Symbol: symbol, Event: probe.Enter, Program: "end_stream", Optional: optional,
			When: when,
		}
	}
	return []probe.Hook{
		{
			Symbol: module + ".(*Server).handleStream", Event: probe.Enter, Program: "start_stream",
			SiteSlot: unsafe.Offsetof(o.Site),
		},
		ends(writeStatus, false, probe.Lacks(nowStatus)),
		ends(nowStatus, false, probe.Lacks(writeStatus)),
		ends(handler+".WriteStatus", true),
		ends(handler+".writeStatus", true),
	}
}

func serverFields() []probe.Field {
	var o serverStreamOffsets
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
