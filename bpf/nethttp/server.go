package nethttp

import (
	"unsafe"

	"github.com/spanprobe/spanprobe/bpf/golang"
	"github.com/spanprobe/spanprobe/internal/probe"
)

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package nethttp -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type server_offsets -type server_span -type ending server server.bpf.c -- -I../include -Wall -Werror -mcpu=v3

// Server traces the servers of net/http and of golang.org/x/net/http2.
func Server() probe.Library {
	var o serverServerOffsets
	return probe.Library{
		Name:  "net/http",
		Hooks: serverHooks(),
		Functions: append([]probe.Function{
			// The first methods of a stream's writer: up to Go 1.26, and from 1.27 on.
			{Symbol: "net/http.(*http2responseWriter).Header", Slot: unsafe.Offsetof(o.StreamWriter)},
			{Symbol: "net/http.http2ResponseWriter.Header", Slot: unsafe.Offsetof(o.StreamWriter)},
		}, append(golang.ConnFunctions(unsafe.Offsetof(o.Conn)), golang.ParentFunctions(unsafe.Offsetof(o.Parent))...)...),
		Fields: append(serverFields(), golang.MapFields(unsafe.Offsetof(o.Map))...),
		// A gRPC server that is given its streams by net/http's looks for the request.
		Children:     []string{"net/http/client", moduleGRPC + "/client", moduleGRPC},
		ChildrenSlot: unsafe.Offsetof(o.Parent) + unsafe.Offsetof(o.Parent.Children),
		OffsetsSize:  unsafe.Sizeof(o),
		Load:         loadServer,
		Decode:       decodeRequest,
	}
}

func serverHooks() []probe.Hook {
	var o serverServerOffsets
	endsStreams := unsafe.Offsetof(o.EndsStreams)
	const (
		http1 = "HTTP/1"
		net   = "the server of " + moduleNet
		// That of x/net serves connections by one of these, by version.
		serveConn, serveConnIn = moduleNet + "/http2.(*Server).ServeConn", moduleNet + "/http2.(*Server).serveConn"
	)
	return []probe.Hook{
		{Symbol: "net/http.serverHandler.ServeHTTP", Event: probe.Enter, Program: "serve_http", Together: http1, SiteSlot: unsafe.Offsetof(o.ServeSite)},
		{Symbol: "net/http.(*response).finishRequest", Event: probe.Enter, Program: "finish_request", Together: http1},
		// The deferred function at the end of a connection's goroutine.
		{Symbol: "net/http.(*conn).serve.func1", Event: probe.Enter, Program: "end_connection", Together: http1},
		// The deferred function at the end of a stream's goroutine: up to Go
		// 1.26, and from 1.27 on.
		{Symbol: "net/http.(*http2serverConn).runHandler.func1", Event: probe.Enter, Program: "end_stream", Optional: true, Slot: endsStreams},
		{Symbol: "net/http/internal/http2.(*serverConn).runHandler.func1", Event: probe.Enter, Program: "end_stream", Optional: true, Slot: endsStreams},
		// From Go 1.27 on the servers of golang.org/x/net/http2 are net/http's
		// own, and need not come through serverHandler.
		{Symbol: "net/http.http2Handler.ServeHTTP", Event: probe.Enter, Program: "start_stream", Optional: true, With: []string{serveConn, serveConnIn}, SiteSlot: unsafe.Offsetof(o.StreamSite)},
		// Before, they have one of their own.
		{Symbol: moduleNet + "/http2.(*serverConn).runHandler", Event: probe.Enter, Program: "start_net_stream", Together: net, SiteSlot: unsafe.Offsetof(o.NetSite)},
		{Symbol: moduleNet + "/http2.(*serverConn).runHandler.func1", Event: probe.Enter, Program: "end_net_stream", Together: net, Slot: unsafe.Offsetof(o.EndsNetStreams)},
		{Symbol: moduleNet + "/http2.(*responseWriterState).writeHeader", Event: probe.Enter, Program: "note_net_status", Optional: true, Unless: ofNet("responseWriterState", "status", 0).Field},
		// What it answers by itself instead: with 431, and with 400.
		{Symbol: moduleNet + "/http2.handleHeaderListTooLong", Event: probe.Enter, Program: "discard_request", Optional: true},
		{Symbol: moduleNet + "/http2.new400Handler.func1", Event: probe.Enter, Program: "discard_request", Optional: true},
		{Symbol: moduleNet + "/http2.(*serverConn).processHeaders.new400Handler.func1", Event: probe.Enter, Program: "discard_request", Optional: true},
		// A handler hands it the connection: the request becomes a stream.
		{Symbol: serveConn, Event: probe.Enter, Program: "discard_request", Optional: true},
		{Symbol: serveConnIn, Event: probe.Enter, Program: "discard_request", Optional: true},
		// The server of grpc is the handler, and the request becomes one of its calls.
		{Symbol: moduleGRPC + "/internal/transport.(*serverHandlerTransport).HandleStreams", Event: probe.Enter, Program: "discard_request", Optional: true, IfTraced: []string{moduleGRPC}},
		// A request that a middleware has copied has its route on the copy.
		{Symbol: "net/http.(*ServeMux).ServeHTTP", Event: probe.Enter, Program: "note_copy", Optional: true, OnDemand: true, Slot: unsafe.Offsetof(o.WatchesMuxes)},
	}
}

func serverFields() []probe.Field {
	var o serverServerOffsets
	all := []probe.Field{
		golang.Field("runtime", "g", "goid", unsafe.Offsetof(o.G_goid)),
		golang.Field("runtime", "g", "_panic", unsafe.Offsetof(o.G_panic)),
		golang.Field("runtime", "_panic", "arg", unsafe.Offsetof(o.PanicArg)),
		golang.Field("runtime", "_panic", "goexit", unsafe.Offsetof(o.PanicGoexit)),
		golang.Field("net/http", "Request", "URL", unsafe.Offsetof(o.RequestUrl)),
		golang.Optional("net/http", "Request", "Pattern", unsafe.Offsetof(o.RequestPattern)),
		golang.Optional("net/http", "Request", "pat", unsafe.Offsetof(o.RequestPat)),
		golang.Optional("net/http", "pattern", "str", unsafe.Offsetof(o.PatternStr)),
		golang.Field("net/url", "URL", "Path", unsafe.Offsetof(o.UrlPath)),
		golang.Field("net/http", "response", "status", unsafe.Offsetof(o.ResponseStatus)),
		golang.Optional("net/http", "response", "conn", unsafe.Offsetof(o.ResponseConn)),
		golang.Optional("net/http", "conn", "rwc", unsafe.Offsetof(o.ConnRwc)),
		golang.Field("net/http", "Request", "ctx", unsafe.Offsetof(o.Request)+unsafe.Offsetof(o.Request.Context)),
		golang.Optional("net/http/internal/http2", "ServerRequest", "Context", unsafe.Offsetof(o.ServerRequest)+unsafe.Offsetof(o.ServerRequest.Context)),
	}
	bundled := func(structName, name string, slot uintptr) probe.Field {
		return golang.Optional("net/http", "http2"+structName, name, slot)
	}
	internal := func(structName, name string, slot uintptr) probe.Field {
		return golang.Optional("net/http/internal/http2", structName, name, slot)
	}
	all = append(all, streamFields(bundled, unsafe.Offsetof(o.Bundled))...)
	all = append(all, streamFields(internal, unsafe.Offsetof(o.Internal))...)
	all = append(all, streamFields(ofNet, unsafe.Offsetof(o.Net))...)
	all = append(all, golang.ConnFields(unsafe.Offsetof(o.Conn))...)
	all = append(all, golang.ParentFields(unsafe.Offsetof(o.Parent))...)
	all = append(all, requestFields(golang.Field, "net/http", "Request", unsafe.Offsetof(o.Request))...)
	return append(all, requestFields(golang.Optional, "net/http/internal/http2", "ServerRequest", unsafe.Offsetof(o.ServerRequest))...)
}

// streamFields lists what is needed of a stream of an HTTP/2 server.
func streamFields(field func(structName, name string, slot uintptr) probe.Field, base uintptr) []probe.Field {
	var o serverServerOffsets
	return []probe.Field{
		field("responseWriter", "rws", base+unsafe.Offsetof(o.Bundled.Writer)),
		field("responseWriterState", "status", base+unsafe.Offsetof(o.Bundled.Status)),
		field("responseWriterState", "stream", base+unsafe.Offsetof(o.Bundled.Stream)),
		field("stream", "id", base+unsafe.Offsetof(o.Bundled.Id)),
		field("stream", "sc", base+unsafe.Offsetof(o.Bundled.Server)),
		field("serverConn", "conn", base+unsafe.Offsetof(o.Bundled.Conn)),
	}
}

// requestFields lists the fields of a request, for a struct request_offsets at
// base.
func requestFields(field func(pkg, structName, name string, slot uintptr) probe.Field, pkg, structName string, base uintptr) []probe.Field {
	var o serverServerOffsets
	return []probe.Field{
		field(pkg, structName, "Method", base+unsafe.Offsetof(o.Request.Method)),
		field(pkg, structName, "ProtoMajor", base+unsafe.Offsetof(o.Request.ProtoMajor)),
		field(pkg, structName, "ProtoMinor", base+unsafe.Offsetof(o.Request.ProtoMinor)),
		field(pkg, structName, "Header", base+unsafe.Offsetof(o.Request.Header)),
		field(pkg, structName, "Host", base+unsafe.Offsetof(o.Request.Host)),
		field(pkg, structName, "RemoteAddr", base+unsafe.Offsetof(o.Request.RemoteAddr)),
		field(pkg, structName, "RequestURI", base+unsafe.Offsetof(o.Request.RequestUri)),
		field(pkg, structName, "TLS", base+unsafe.Offsetof(o.Request.Tls)),
	}
}
