// Package nethttp traces the servers of Go's net/http: one SERVER span for each
// HTTP/1 request that reached a handler.
package nethttp

import (
	"unsafe"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package nethttp -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type server_offsets -type server_span http nethttp.bpf.c -- -I../include -Wall -Werror -mcpu=v3

// Library describes what is hooked in net/http, and what must be known of it.
func Library() probe.Library {
	var o httpServerOffsets
	return probe.Library{
		Name: "net/http",
		Hooks: []probe.Hook{
			{Symbol: "net/http.serverHandler.ServeHTTP", Event: probe.Enter, Program: "serve_http"},
			{Symbol: "net/http.(*response).finishRequest", Event: probe.Enter, Program: "finish_request"},
			// The deferred function at the end of a connection's goroutine.
			{Symbol: "net/http.(*conn).serve.func1", Event: probe.Enter, Program: "end_connection", Optional: true},
		},
		Fields: append([]probe.Field{
			field("runtime", "g", "goid", unsafe.Offsetof(o.G_goid)),
			field("net/http", "Request", "Method", unsafe.Offsetof(o.RequestMethod)),
			field("net/http", "Request", "ProtoMajor", unsafe.Offsetof(o.RequestProtoMajor)),
			field("net/http", "Request", "ProtoMinor", unsafe.Offsetof(o.RequestProtoMinor)),
			field("net/http", "Request", "Header", unsafe.Offsetof(o.RequestHeader)),
			field("net/http", "Request", "Host", unsafe.Offsetof(o.RequestHost)),
			field("net/http", "Request", "RemoteAddr", unsafe.Offsetof(o.RequestRemoteAddr)),
			field("net/http", "Request", "RequestURI", unsafe.Offsetof(o.RequestRequestUri)),
			field("net/http", "Request", "TLS", unsafe.Offsetof(o.RequestTls)),
			optional("net/http", "Request", "Pattern", unsafe.Offsetof(o.RequestPattern)),
			optional("net/http", "Request", "pat", unsafe.Offsetof(o.RequestPat)),
			optional("net/http", "pattern", "str", unsafe.Offsetof(o.PatternStr)),
			field("net/http", "response", "status", unsafe.Offsetof(o.ResponseStatus)),
		}, headerMapFields(unsafe.Offsetof(o.Map))...),
		OffsetsSize: unsafe.Sizeof(o),
		Operations:  []string{"requests"},
		Load:        loadHttp,
		Decode:      decode,
	}
}

// headerMapFields lists what a walk of a net/http.Header needs, for a struct
// map_offsets at base. A binary has one of the two layouts; the fields of the
// other are absent. Without either, spans come without what headers tell.
func headerMapFields(base uintptr) []probe.Field {
	var o httpServerOffsets
	fields := []probe.Field{
		optional("runtime", "map", "layout", unsafe.Offsetof(o.Map.Layout)),
		optional("runtime", "hmap", "count", unsafe.Offsetof(o.Map.HmapCount)),
		optional("runtime", "hmap", "flags", unsafe.Offsetof(o.Map.HmapFlags)),
		optional("runtime", "hmap", "B", unsafe.Offsetof(o.Map.HmapB)),
		optional("runtime", "hmap", "buckets", unsafe.Offsetof(o.Map.HmapBuckets)),
		optional("runtime", "hmap", "oldbuckets", unsafe.Offsetof(o.Map.HmapOldbuckets)),
		optional("internal/runtime/maps", "Map", "used", unsafe.Offsetof(o.Map.MapUsed)),
		optional("internal/runtime/maps", "Map", "dirPtr", unsafe.Offsetof(o.Map.MapDirPtr)),
		optional("internal/runtime/maps", "Map", "dirLen", unsafe.Offsetof(o.Map.MapDirLen)),
		optional("internal/runtime/maps", "table", "groups", unsafe.Offsetof(o.Map.TableGroups)),
		optional("internal/runtime/maps", "groupsReference", "data", unsafe.Offsetof(o.Map.GroupsData)),
		optional("internal/runtime/maps", "groupsReference", "lengthMask", unsafe.Offsetof(o.Map.GroupsLengthMask)),
	}
	for i := range fields {
		fields[i].Slot += base
	}
	return fields
}

func field(pkg, structName, name string, slot uintptr) probe.Field {
	return probe.Field{
		Field: model.Field{Module: model.ModuleStd, Package: pkg, Struct: structName, Field: name},
		Slot:  slot,
	}
}

func optional(pkg, structName, name string, slot uintptr) probe.Field {
	f := field(pkg, structName, name, slot)
	f.Optional = true
	return f
}
