package nethttp

import (
	"unsafe"

	"github.com/spanprobe/spanprobe/internal/probe"
)

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package nethttp -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type client_offsets -type client_span -type peer_kind client client.bpf.c -- -I../include -Wall -Werror -mcpu=v3

// Client traces the Transports of net/http and of golang.org/x/net/http2.
func Client() probe.Library {
	var o clientClientOffsets
	return probe.Library{
		Name:        "net/http/client",
		Hooks:       clientHooks(),
		Functions:   connFunctions(unsafe.Offsetof(o.Conn)),
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

		transport    = "net/http.(*Transport).roundTrip"
		bundled      = "net/http.(*http2ClientConn)"
		netConn      = moduleNet + "/http2.(*ClientConn)"
		netTransport = moduleNet + "/http2.(*Transport).RoundTripOpt"
	)
	return []probe.Hook{
		{Symbol: transport, Event: probe.Enter, Program: "start_call", Together: http, SiteSlot: unsafe.Offsetof(o.Site)},
		{Symbol: transport, Event: probe.Return, Program: "end_call", Together: http},
		{Symbol: netTransport, Event: probe.Enter, Program: "start_net_call", Together: net, SiteSlot: unsafe.Offsetof(o.NetSite)},
		{Symbol: netTransport, Event: probe.Return, Program: "end_net_call", Together: net},
		{Symbol: "net/http.(*persistConn).roundTrip", Event: probe.Enter, Program: "note_connection", Optional: true},
		// HTTP/2: up to Go 1.26, from 1.27 on, and that of x/net. The first
		// versions had but one method.
		{Symbol: bundled + ".roundTrip", Event: probe.Enter, Program: "note_bundled_connection", Optional: true},
		{Symbol: bundled + ".RoundTrip", Event: probe.Enter, Program: "note_bundled_connection", Optional: true, Without: bundled + ".roundTrip"},
		{Symbol: "net/http/internal/http2.(*ClientConn).roundTrip", Event: probe.Enter, Program: "note_internal_connection", Optional: true},
		{Symbol: netConn + ".roundTrip", Event: probe.Enter, Program: "note_net_connection", Optional: true},
		{Symbol: netConn + ".RoundTrip", Event: probe.Enter, Program: "note_net_connection", Optional: true, Without: netConn + ".roundTrip"},
	}
}

func clientFields() []probe.Field {
	var o clientClientOffsets
	fields := []probe.Field{
		field("runtime", "g", "goid", unsafe.Offsetof(o.G_goid)),
		field("runtime", "g", "stack", unsafe.Offsetof(o.G_stack)),
		field("runtime", "stack", "hi", unsafe.Offsetof(o.StackHi)),
		field("net/http", "Request", "Method", unsafe.Offsetof(o.RequestMethod)),
		field("net/http", "Request", "URL", unsafe.Offsetof(o.RequestUrl)),
		field("net/http", "Request", "Response", unsafe.Offsetof(o.RequestResponse)),
		field("net/url", "URL", "Scheme", unsafe.Offsetof(o.UrlScheme)),
		field("net/url", "URL", "Opaque", unsafe.Offsetof(o.UrlOpaque)),
		field("net/url", "URL", "Host", unsafe.Offsetof(o.UrlHost)),
		field("net/url", "URL", "Path", unsafe.Offsetof(o.UrlPath)),
		field("net/url", "URL", "RawPath", unsafe.Offsetof(o.UrlRawPath)),
		field("net/url", "URL", "RawQuery", unsafe.Offsetof(o.UrlRawQuery)),
		field("net/http", "Response", "StatusCode", unsafe.Offsetof(o.ResponseStatus)),
		field("net/http", "Response", "ProtoMajor", unsafe.Offsetof(o.ResponseProtoMajor)),
		field("net/http", "Response", "ProtoMinor", unsafe.Offsetof(o.ResponseProtoMinor)),
		field("net/http", "Response", "Request", unsafe.Offsetof(o.ResponseRequest)),
		optional("net/http", "persistConn", "conn", unsafe.Offsetof(o.Http1Conn)),
		optional("net/http", "http2ClientConn", "tconn", unsafe.Offsetof(o.BundledConn)),
		optional("net/http/internal/http2", "ClientConn", "tconn", unsafe.Offsetof(o.InternalConn)),
		ofNet("ClientConn", "tconn", unsafe.Offsetof(o.NetConn)),
	}
	fields = append(fields, typeFields(unsafe.Offsetof(o.Type))...)
	return append(fields, connFields(unsafe.Offsetof(o.Conn))...)
}

// typeFields lists what the name of a value's type needs, for a struct
// type_offsets at base. Some have had two names.
func typeFields(base uintptr) []probe.Field {
	var o clientClientOffsets
	fields := []probe.Field{
		optional("runtime", "moduledata", "types", unsafe.Offsetof(o.Type.Types)),
		optional("runtime", "itab", "_type", unsafe.Offsetof(o.Type.ItabType)),
		optional("internal/abi", "ITab", "Type", unsafe.Offsetof(o.Type.ItabType)),
		optional("runtime", "_type", "tflag", unsafe.Offsetof(o.Type.Tflag)),
		optional("internal/abi", "Type", "TFlag", unsafe.Offsetof(o.Type.Tflag)),
		optional("runtime", "_type", "str", unsafe.Offsetof(o.Type.Str)),
		optional("internal/abi", "Type", "Str", unsafe.Offsetof(o.Type.Str)),
	}
	return at(base, fields)
}

// connFields lists what the peer of a net.Conn needs, for a struct conn_offsets
// at base.
func connFields(base uintptr) []probe.Field {
	var o clientClientOffsets
	fields := []probe.Field{
		optional("runtime", "itab", "fun", unsafe.Offsetof(o.Conn.ItabFun)),
		optional("internal/abi", "ITab", "Fun", unsafe.Offsetof(o.Conn.ItabFun)),
		optional("crypto/tls", "Conn", "conn", unsafe.Offsetof(o.Conn.TlsConn)),
		optional("net", "conn", "fd", unsafe.Offsetof(o.Conn.ConnFd)),
		optional("net", "netFD", "raddr", unsafe.Offsetof(o.Conn.FdRaddr)),
		optional("net", "TCPAddr", "IP", unsafe.Offsetof(o.Conn.TcpIp)),
		optional("net", "TCPAddr", "Port", unsafe.Offsetof(o.Conn.TcpPort)),
		optional("net", "UnixAddr", "Name", unsafe.Offsetof(o.Conn.UnixName)),
	}
	return at(base, fields)
}

// connFunctions lists the functions by which the types of connections and
// addresses are known, for a struct conn_offsets at base.
func connFunctions(base uintptr) []probe.Function {
	var o clientClientOffsets
	return []probe.Function{
		{Symbol: "net.(*TCPConn).Close", Slot: base + unsafe.Offsetof(o.Conn.TcpClose)},
		{Symbol: "net.(*UnixConn).Close", Slot: base + unsafe.Offsetof(o.Conn.UnixClose)},
		{Symbol: "crypto/tls.(*Conn).Close", Slot: base + unsafe.Offsetof(o.Conn.TlsClose)},
		{Symbol: "net.(*TCPAddr).Network", Slot: base + unsafe.Offsetof(o.Conn.TcpNetwork)},
		{Symbol: "net.(*UnixAddr).Network", Slot: base + unsafe.Offsetof(o.Conn.UnixNetwork)},
	}
}

// at moves the slots of fields to a struct at base.
func at(base uintptr, fields []probe.Field) []probe.Field {
	for i := range fields {
		fields[i].Slot += base
	}
	return fields
}
