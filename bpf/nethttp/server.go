package nethttp

import (
	"slices"
	"unsafe"

	"github.com/spanprobe/spanprobe/bpf/golang"
	"github.com/spanprobe/spanprobe/internal/probe"
)

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package nethttp -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type server_offsets -type server_span -type ending -type response_status -type text_limit server server.bpf.c -- -I../include -Wall -Werror -mcpu=v3

// ServerName is the name of Server.
const ServerName probe.Name = "net/http"

// DiscardRequest is the program of Server that discards the request of the goroutine. A library
// whose operation the request becomes has it attached to the function that takes the request over.
const DiscardRequest = "discard_request"

// Server traces the servers of net/http and of golang.org/x/net/http2.
func Server() probe.Library {
	var o serverServerOffsets
	return probe.Library{
		Name:  ServerName,
		Role:  probe.RoleServer,
		Hooks: serverHooks(),
		Functions: slices.Concat([]probe.Function{
			// The first methods of a stream's writer: up to Go 1.26, and from 1.27 on.
			{
				Symbol: "net/http.(*http2responseWriter).Header",
				Slot:   unsafe.Offsetof(o.StreamWriter),
			},
			{Symbol: "net/http.http2ResponseWriter.Header", Slot: unsafe.Offsetof(o.StreamWriter)},
		},
			golang.ConnFunctions(unsafe.Offsetof(o.Conn), ""),
			golang.ParentFunctions(unsafe.Offsetof(o.Parent), GoHandler)),
		Fields:       append(serverFields(), golang.MapFields(unsafe.Offsetof(o.Map))...),
		Rules:        rules(),
		ChildrenSlot: unsafe.Offsetof(o.Parent) + unsafe.Offsetof(o.Parent.Children),
		OffsetsSize:  unsafe.Sizeof(o),
		Load:         loadServer,
		Decode:       decodeRequest,
		Attributes:   serverAttributes,
		Support:      support,
	}
}

func serverHooks() []probe.Hook {
	var o serverServerOffsets
	endsStreams := unsafe.Offsetof(o.EndsStreams)
	const (
		http1 = "HTTP/1"
		net   = "the server of " + moduleNet
		// The server of x/net serves connections by one of these, by version.
		serveConn   = moduleNet + "/http2.(*Server).ServeConn"
		serveConnIn = moduleNet + "/http2.(*Server).serveConn"
	)
	return []probe.Hook{
		{
			Symbol: "net/http.serverHandler.ServeHTTP", Event: probe.Enter, Program: "serve_http",
			Together: http1, SiteSlot: unsafe.Offsetof(o.ServeSite),
		},
		{
			Symbol: "net/http.(*response).finishRequest", Event: probe.Enter,
			Program: "finish_request", Together: http1,
		},
		// The deferred function at the end of a connection's goroutine.
		{
			Symbol: "net/http.(*conn).serve.func1", Event: probe.Enter, Program: "end_connection",
			Together: http1,
		},
		// The deferred function at the end of a stream's goroutine: up to Go 1.26, and from 1.27
		// on.
		{
			Symbol: "net/http.(*http2serverConn).runHandler.func1", Event: probe.Enter,
			Program: "end_stream", Optional: true, Slot: endsStreams,
		},
		{
			Symbol: "net/http/internal/http2.(*serverConn).runHandler.func1", Event: probe.Enter,
			Program: "end_stream", Optional: true, Slot: endsStreams,
		},
		// From Go 1.27 on the servers of golang.org/x/net/http2 are net/http's own, and need not
		// come through serverHandler.
		{
			Symbol: "net/http.http2Handler.ServeHTTP", Event: probe.Enter, Program: "start_stream",
			Optional: true, When: []probe.Condition{probe.Has{serveConn, serveConnIn}},
			SiteSlot: unsafe.Offsetof(o.StreamSite),
		},
		// Before, they have a serverConn of their own.
		{
			Symbol: moduleNet + "/http2.(*serverConn).runHandler", Event: probe.Enter,
			Program: "start_net_stream", Together: net, SiteSlot: unsafe.Offsetof(o.NetSite),
		},
		{
			Symbol: moduleNet + "/http2.(*serverConn).runHandler.func1", Event: probe.Enter,
			Program: "end_net_stream", Together: net, Slot: unsafe.Offsetof(o.EndsNetStreams),
		},
		{
			Symbol: moduleNet + "/http2.(*responseWriterState).writeHeader", Event: probe.Enter,
			Program: "note_net_status", Optional: true, When: []probe.Condition{
				probe.LacksField(ofNet("responseWriterState", "status", 0).Field),
			},
		},
		// The answers that they give themselves instead: 431, and 400.
		discard(moduleNet + "/http2.handleHeaderListTooLong"),
		discard(moduleNet + "/http2.new400Handler.func1"),
		discard(moduleNet + "/http2.(*serverConn).processHeaders.new400Handler.func1"),
		// A handler hands the connection over to one of them: the request becomes a stream.
		discard(serveConn),
		discard(serveConnIn),
		// A request that a middleware has copied has its route on the copy.
		{
			Symbol: "net/http.(*ServeMux).ServeHTTP", Event: probe.Enter, Program: "note_copy",
			Optional: true, OnDemand: true, Slot: unsafe.Offsetof(o.WatchesMuxes),
		},
	}
}

// discard has the request of a goroutine discarded where a function is entered.
func discard(symbol string) probe.Hook {
	return probe.Hook{Symbol: symbol, Event: probe.Enter, Program: DiscardRequest, Optional: true}
}

func serverFields() []probe.Field {
	var o serverServerOffsets
	request, serverRequest := unsafe.Offsetof(o.Request), unsafe.Offsetof(o.ServerRequest)
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
		golang.Field("net/http", "Request", "ctx", request+unsafe.Offsetof(o.Request.Context)),
		internal("ServerRequest", "Context", serverRequest+unsafe.Offsetof(o.Request.Context)),
	}
	all = append(all, streamFields(bundled, unsafe.Offsetof(o.Bundled))...)
	all = append(all, streamFields(internal, unsafe.Offsetof(o.Internal))...)
	all = append(all, streamFields(ofNet, unsafe.Offsetof(o.Net))...)
	all = append(all, golang.ConnFields(unsafe.Offsetof(o.Conn))...)
	all = append(all, golang.ParentFields(unsafe.Offsetof(o.Parent))...)
	all = append(all, requestFields(golang.Field, "net/http", "Request", request)...)
	return append(all, requestFields(
		golang.Optional, "net/http/internal/http2", "ServerRequest", serverRequest)...)
}

// fieldOf makes a field of one of the copies of HTTP/2.
type fieldOf func(structName, name string, slot uintptr) probe.Field

// streamFields lists the fields that are needed of a stream of an HTTP/2 server.
func streamFields(field fieldOf, base uintptr) []probe.Field {
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

// requestFields lists the fields of a request, for a struct request_offsets at base.
func requestFields(
	of func(pkg, structName, name string, slot uintptr) probe.Field, pkg, structName string,
	base uintptr,
) []probe.Field {
	var o serverServerOffsets
	field := func(name string, slot uintptr) probe.Field {
		return of(pkg, structName, name, base+slot)
	}
	return []probe.Field{
		field("Method", unsafe.Offsetof(o.Request.Method)),
		field("ProtoMajor", unsafe.Offsetof(o.Request.ProtoMajor)),
		field("ProtoMinor", unsafe.Offsetof(o.Request.ProtoMinor)),
		field("Header", unsafe.Offsetof(o.Request.Header)),
		field("Host", unsafe.Offsetof(o.Request.Host)),
		field("RemoteAddr", unsafe.Offsetof(o.Request.RemoteAddr)),
		field("RequestURI", unsafe.Offsetof(o.Request.RequestUri)),
		field("TLS", unsafe.Offsetof(o.Request.Tls)),
	}
}
