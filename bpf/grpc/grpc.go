// Package grpc traces google.golang.org/grpc: one SERVER span for each call that a server handles,
// and one CLIENT span for each that a program makes.
package grpc

import (
	"github.com/spanprobe/spanprobe/bpf/golang"
	"github.com/spanprobe/spanprobe/internal/probe"
)

const (
	module    = "google.golang.org/grpc"
	transport = "/internal/transport" // a package, relative to the module
)

// Libraries lists those of this folder.
func Libraries() []probe.Library { return []probe.Library{Server(), Client()} }

// The message of a status is declared in a module of others: since 2023 in the second, which was
// split off the first.
const (
	moduleProtoOnce = "google.golang.org/genproto"
	moduleProto     = moduleProtoOnce + "/googleapis/rpc"
	packageProto    = moduleProto + "/status"
)

// field is one of grpc's own; pkg is relative to the module.
func field(pkg, structName, name string, slot uintptr) probe.Field {
	return golang.FieldOf(module, module+pkg, structName, name, slot)
}

// metadataType is a key under which a context holds the metadata of a call.
func metadataType(name string, slot uintptr) probe.Type {
	return probe.Type{Package: module + "/metadata", Name: "metadata." + name, Slot: slot}
}

// optional is one that some versions do not have.
func optional(pkg, structName, name string, slot uintptr) probe.Field {
	f := field(pkg, structName, name, slot)
	f.Optional = true
	return f
}

// marks tell the versions of grpc apart between which fields move, and those of the status's
// message.
func marks() []probe.Mark {
	function := func(pkg, receiver, name string) probe.Mark {
		return probe.Mark{Module: module, Package: module + pkg, Receiver: receiver, Name: name}
	}
	return []probe.Mark{
		// That older versions have.
		function("", "", "newProxyDialer"),
		function("", "ccResolverWrapper", "poll"),
		function(transport, "", "newHTTP2Server"),
		function("", "ClientConn", "switchBalancer"),
		function("", "clientStream", "shouldRetry"),
		function("", "Server", "traceInfo"),
		function("", "addrConn", "resetTransport"),
		function(transport, "http2Server", "WriteStatus"),
		function(transport, "", "mapAddress"),
		function(transport, "", "parseDialTarget"),
		function("", "Server", "processUnaryRPC"),
		// That newer versions have.
		function("", "", "newClientStreamWithParams"),
		function("", "csAttempt", "getTransport"),
		function(transport, "http2Client", "readServerPreface"),
		function("", "ClientConn", "enterIdleMode"),
		function("", "Server", "stop"),
		function("", "addrConn", "resetTransportAndUnlock"),
		function(transport, "http2Server", "writeStatus"),
		function("", "acBalancerWrapper", "healthListenerRegFn"),
		function(transport, "framer", "readDataFrame"),
		function("", "", "endOfClientStream"),
		// Messages that were generated before May 2020 begin with their fields, newer ones with
		// what they are administered by.
		{Module: moduleProtoOnce, Package: packageProto, Receiver: "Status", Name: "XXX_Unmarshal"},
		{Module: moduleProtoOnce, Package: packageProto, Receiver: "Status", Name: "ProtoReflect"},
		{Module: moduleProto, Package: packageProto, Receiver: "Status", Name: "ProtoReflect"},
	}
}
