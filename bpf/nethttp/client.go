package nethttp

import (
	"unsafe"

	"github.com/spanprobe/spanprobe/bpf/golang"
	"github.com/spanprobe/spanprobe/internal/probe"
)

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package nethttp -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type client_offsets -type client_span client client.bpf.c -- -I../include -Wall -Werror -mcpu=v3

// Client traces the Transports of net/http and of golang.org/x/net/http2.
func Client() probe.Library {
	var o clientClientOffsets
	return probe.Library{
		Name:        "net/http/client",
		Hooks:       clientHooks(),
		Functions:   append(golang.ConnFunctions(unsafe.Offsetof(o.Conn)), golang.ParentFunctions(unsafe.Offsetof(o.Parent))...),
		Fields:      clientFields(),
		OffsetsSize: unsafe.Sizeof(o),
		Load:        loadClient,
		Decode:      decodeCall,
	}
}

func clientHooks() []probe.Hook {
	var o clientClientOffsets
	const (
		http = "the Transport of net/http"
		net  = "that of " + moduleNet

		transport = "net/http.(*Transport).roundTrip"
		bundled   = "net/http.(*http2ClientConn)"
		netConn   = moduleNet + "/http2.(*ClientConn)"
		// In releases from 2026 on the first of the two does nothing but call the second, and is
		// inlined; from Go 1.27 on both leave everything to net/http.
		netTransport   = moduleNet + "/http2.(*Transport).RoundTripOpt"
		laterNet       = "that of later releases of " + moduleNet
		laterTransport = moduleNet + "/http2.(*Transport).roundTripOpt"
		netStream      = moduleNet + "/http2.(*clientStream)"
		headers        = ".encodeAndWriteHeaders"
	)
	return []probe.Hook{
		{Symbol: transport, Event: probe.Enter, Program: "start_call", Together: http, SiteSlot: unsafe.Offsetof(o.Site)},
		{Symbol: transport, Event: probe.Return, Program: "end_call", Together: http, Deferred: &probe.Deferred{
			Symbols: []string{transport + ".func1"}, Program: "end_deferring_call", Results: 3, Slot: unsafe.Offsetof(o.Deferring),
		}},
		{Symbol: netTransport, Event: probe.Enter, Program: "start_net_call", Together: net, SiteSlot: unsafe.Offsetof(o.NetSite), Without: laterTransport},
		{Symbol: netTransport, Event: probe.Return, Program: "end_net_call", Together: net, Without: laterTransport},
		{Symbol: laterTransport, Event: probe.Enter, Program: "start_net_call", Together: laterNet, SiteSlot: unsafe.Offsetof(o.NetSite), With: []string{netStream + headers}},
		{Symbol: laterTransport, Event: probe.Return, Program: "end_net_call", Together: laterNet, With: []string{netStream + headers}},
		{Symbol: "net/http.(*persistConn).roundTrip", Event: probe.Enter, Program: "note_connection", Optional: true},
		// HTTP/2: up to Go 1.26, from 1.27 on, and that of x/net. The first
		// versions had but one method.
		{Symbol: bundled + ".roundTrip", Event: probe.Enter, Program: "note_bundled_connection", Optional: true},
		{Symbol: bundled + ".RoundTrip", Event: probe.Enter, Program: "note_bundled_connection", Optional: true, Without: bundled + ".roundTrip"},
		{Symbol: "net/http/internal/http2.(*ClientConn).roundTrip", Event: probe.Enter, Program: "note_internal_connection", Optional: true},
		{Symbol: netConn + ".roundTrip", Event: probe.Enter, Program: "note_net_connection", Optional: true},
		{Symbol: netConn + ".RoundTrip", Event: probe.Enter, Program: "note_net_connection", Optional: true, Without: netConn + ".roundTrip"},
		{Symbol: "net/http.(*http2clientStream)" + headers, Event: probe.Enter, Program: "announce_bundled_stream", Optional: true, SiteSlot: unsafe.Offsetof(o.BundledSite)},
		{Symbol: "net/http/internal/http2.(*clientStream)" + headers, Event: probe.Enter, Program: "announce_internal_stream", Optional: true, SiteSlot: unsafe.Offsetof(o.InternalSite)},
		{Symbol: netStream + headers, Event: probe.Enter, Program: "announce_net_stream", Optional: true, SiteSlot: unsafe.Offsetof(o.NetStreamSite)},
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
	bundled := func(structName, name string, slot uintptr) probe.Field {
		return golang.Optional("net/http", "http2"+structName, name, slot)
	}
	internal := func(structName, name string, slot uintptr) probe.Field {
		return golang.Optional("net/http/internal/http2", structName, name, slot)
	}
	fields = append(fields, sentFields(bundled, unsafe.Offsetof(o.Bundled))...)
	fields = append(fields, sentFields(internal, unsafe.Offsetof(o.Internal))...)
	fields = append(fields, sentFields(ofNet, unsafe.Offsetof(o.Net))...)
	fields = append(fields, golang.ParentFields(unsafe.Offsetof(o.Parent))...)
	fields = append(fields, golang.MapFields(unsafe.Offsetof(o.Map))...)
	fields = append(fields, golang.TypeFields(unsafe.Offsetof(o.Type))...)
	return append(fields, golang.ConnFields(unsafe.Offsetof(o.Conn))...)
}

// sentFields lists what is needed of a stream of an HTTP/2 client.
func sentFields(field func(structName, name string, slot uintptr) probe.Field, base uintptr) []probe.Field {
	var o clientClientOffsets
	return []probe.Field{
		field("ClientConn", "tconn", base+unsafe.Offsetof(o.Bundled.Conn)),
		field("ClientConn", "fr", base+unsafe.Offsetof(o.Bundled.Framer)),
		field("clientStream", "ID", base+unsafe.Offsetof(o.Bundled.Id)),
		field("clientStream", "cc", base+unsafe.Offsetof(o.Bundled.Client)),
	}
}
