package nethttp

import (
	"slices"
	"unsafe"

	"github.com/spanprobe/spanprobe/bpf/golang"
	"github.com/spanprobe/spanprobe/internal/probe"
)

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package nethttp -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type client_offsets -type client_span -type response_status -type text_limit client client.bpf.c -- -I../include -Wall -Werror -mcpu=v3

// ClientName is the name of Client.
const ClientName probe.Name = "net/http/client"

// Client traces the Transports of net/http and of golang.org/x/net/http2.
func Client() probe.Library {
	var o clientClientOffsets
	return probe.Library{
		Name:  ClientName,
		Role:  probe.RoleClient,
		Hooks: clientHooks(),
		Functions: slices.Concat(
			golang.ConnFunctions(unsafe.Offsetof(o.Conn), ""),
			golang.ParentFunctions(unsafe.Offsetof(o.Parent), GoHandler)),
		Fields:      clientFields(),
		Rules:       rules(),
		Extensions:  []probe.Extension{injected()},
		OffsetsSize: unsafe.Sizeof(o),
		Load:        loadClient,
		Decode:      decodeCall,
		Attributes:  clientAttributes,
	}
}

func clientHooks() []probe.Hook {
	var o clientClientOffsets
	const (
		http = "the Transport of net/http"
		net  = "that of " + moduleNet

		transport   = "net/http.(*Transport).roundTrip"
		bundledConn = "net/http.(*http2ClientConn)"
		netConn     = moduleNet + "/http2.(*ClientConn)"
		// In releases from 2026 on the first of the two does nothing but call the second, and is
		// inlined. From Go 1.27 on both leave everything to net/http.
		netTransport   = moduleNet + "/http2.(*Transport).RoundTripOpt"
		laterNet       = "that of later releases of " + moduleNet
		laterTransport = moduleNet + "/http2.(*Transport).roundTripOpt"

		headers         = ".encodeAndWriteHeaders"
		bundledHeaders  = "net/http.(*http2clientStream)" + headers
		internalHeaders = "net/http/internal/http2.(*clientStream)" + headers
		netHeaders      = moduleNet + "/http2.(*clientStream)" + headers
	)
	lacks := func(symbol string) []probe.Condition { return []probe.Condition{probe.Lacks(symbol)} }
	has := func(symbol string) []probe.Condition { return []probe.Condition{probe.Has{symbol}} }
	connection := func(symbol, program string, when []probe.Condition) probe.Hook {
		return probe.Hook{
			Symbol: symbol, Event: probe.Enter, Program: program, Optional: true, When: when,
		}
	}
	stream := func(symbol, program string, siteSlot uintptr) probe.Hook {
		return probe.Hook{
			Symbol: symbol, Event: probe.Enter, Program: program, Optional: true,
			SiteSlot: siteSlot,
		}
	}
	return []probe.Hook{
		{
			Symbol: transport, Event: probe.Enter, Program: "start_call", Together: http,
			SiteSlot: unsafe.Offsetof(o.Site),
		},
		{
			Symbol: transport, Event: probe.Return, Program: "end_call", Together: http,
			Deferred: &probe.Deferred{
				Symbols: []string{transport + ".func1"}, Program: "end_deferring_call", Results: 3,
				Slot: unsafe.Offsetof(o.Deferring),
			},
		},
		{
			Symbol: netTransport, Event: probe.Enter, Program: "start_net_call", Together: net,
			When: lacks(laterTransport), SiteSlot: unsafe.Offsetof(o.NetSite),
		},
		{
			Symbol: netTransport, Event: probe.Return, Program: "end_net_call", Together: net,
			When: lacks(laterTransport),
		},
		{
			Symbol: laterTransport, Event: probe.Enter, Program: "start_net_call",
			Together: laterNet, When: has(netHeaders), SiteSlot: unsafe.Offsetof(o.NetSite),
		},
		{
			Symbol: laterTransport, Event: probe.Return, Program: "end_net_call",
			Together: laterNet, When: has(netHeaders),
		},
		connection("net/http.(*persistConn).roundTrip", "note_connection", nil),
		// HTTP/2: up to Go 1.26, from 1.27 on, and that of x/net. The first versions had but one
		// method.
		connection(bundledConn+".roundTrip", "note_bundled_connection", nil),
		connection(bundledConn+".RoundTrip", "note_bundled_connection",
			lacks(bundledConn+".roundTrip")),
		connection("net/http/internal/http2.(*ClientConn).roundTrip", "note_internal_connection",
			nil),
		connection(netConn+".roundTrip", "note_net_connection", nil),
		connection(netConn+".RoundTrip", "note_net_connection", lacks(netConn+".roundTrip")),
		stream(bundledHeaders, "announce_bundled_stream", unsafe.Offsetof(o.BundledSite)),
		stream(internalHeaders, "announce_internal_stream", unsafe.Offsetof(o.InternalSite)),
		stream(netHeaders, "announce_net_stream", unsafe.Offsetof(o.NetStreamSite)),
	}
}

func clientFields() []probe.Field {
	var o clientClientOffsets
	fields := []probe.Field{
		golang.Field("runtime", "g", "goid", unsafe.Offsetof(o.G_goid)),
		golang.Field("runtime", "g", "stack", unsafe.Offsetof(o.G_stack)),
		golang.Field("runtime", "stack", "hi", unsafe.Offsetof(o.StackHi)),
		golang.Field("net/http", "Request", "Method", unsafe.Offsetof(o.RequestMethod)),
		golang.Field("net/http", "Request", "URL", unsafe.Offsetof(o.RequestUrl)),
		golang.Field("net/http", "Request", "Response", unsafe.Offsetof(o.RequestResponse)),
		golang.Field("net/http", "Request", "ctx", unsafe.Offsetof(o.RequestContext)),
		golang.Optional("net/http", "Request", "Header", unsafe.Offsetof(o.RequestHeader)),
		golang.Field("net/url", "URL", "Scheme", unsafe.Offsetof(o.UrlScheme)),
		golang.Field("net/url", "URL", "Opaque", unsafe.Offsetof(o.UrlOpaque)),
		golang.Field("net/url", "URL", "Host", unsafe.Offsetof(o.UrlHost)),
		golang.Field("net/url", "URL", "Path", unsafe.Offsetof(o.UrlPath)),
		golang.Field("net/url", "URL", "RawPath", unsafe.Offsetof(o.UrlRawPath)),
		golang.Field("net/url", "URL", "RawQuery", unsafe.Offsetof(o.UrlRawQuery)),
		golang.Field("net/http", "Response", "StatusCode", unsafe.Offsetof(o.ResponseStatus)),
		golang.Field("net/http", "Response", "ProtoMajor", unsafe.Offsetof(o.ResponseProtoMajor)),
		golang.Field("net/http", "Response", "ProtoMinor", unsafe.Offsetof(o.ResponseProtoMinor)),
		golang.Field("net/http", "Response", "Request", unsafe.Offsetof(o.ResponseRequest)),
		golang.Optional("net/http", "persistConn", "conn", unsafe.Offsetof(o.Http1Conn)),
		golang.Optional("net/http", "persistConn", "bw", unsafe.Offsetof(o.Http1Writer)),
	}
	fields = append(fields, sentFields(bundled, unsafe.Offsetof(o.Bundled))...)
	fields = append(fields, sentFields(internal, unsafe.Offsetof(o.Internal))...)
	fields = append(fields, sentFields(ofNet, unsafe.Offsetof(o.Net))...)
	fields = append(fields, golang.ParentFields(unsafe.Offsetof(o.Parent))...)
	fields = append(fields, golang.MapFields(unsafe.Offsetof(o.Map))...)
	fields = append(fields, golang.TypeFields(unsafe.Offsetof(o.Type))...)
	return append(fields, golang.ConnFields(unsafe.Offsetof(o.Conn))...)
}

// sentFields lists the fields that are needed of a stream of an HTTP/2 client.
func sentFields(field fieldOf, base uintptr) []probe.Field {
	var o clientClientOffsets
	return []probe.Field{
		field("ClientConn", "tconn", base+unsafe.Offsetof(o.Bundled.Conn)),
		field("ClientConn", "fr", base+unsafe.Offsetof(o.Bundled.Framer)),
		field("clientStream", "ID", base+unsafe.Offsetof(o.Bundled.Id)),
		field("clientStream", "cc", base+unsafe.Offsetof(o.Bundled.Client)),
	}
}
