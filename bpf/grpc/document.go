package grpc

import (
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/internal/probe"
)

var serverAttributes = []probe.Attribute{
	{Key: semconv.RPCSystemNameKey, From: "`grpc`"},
	{
		Key: semconv.RPCMethodKey,
		From: "`package.Service/Method`; it is the span's name too. `_OTHER` if the " +
			"method is malformed, or the status is `UNIMPLEMENTED`: the server may not have the " +
			"method, and the span's name is then `grpc`",
	},
	{
		Key:  semconv.RPCMethodOriginalKey,
		From: "the method that was called, if `rpc.method` is `_OTHER`",
	},
	{
		Key:  semconv.RPCResponseStatusCodeKey,
		From: "the status, by its name (`NOT_FOUND`), or its number if it has none",
	},
	{
		Key: semconv.ErrorTypeKey,
		From: "the same, if it is `UNKNOWN`, `DEADLINE_EXCEEDED`, `UNIMPLEMENTED`, `INTERNAL`, " +
			"`UNAVAILABLE` or `DATA_LOSS`; the span's status is then `Error`",
	},
	{Key: semconv.ServerAddressKey, From: "the call's `:authority`"},
	{Key: semconv.ServerPortKey, From: "the same; absent where that names no port"},
	{
		Key: semconv.ClientAddressKey,
		From: "the connection, if it is one of TCP or of a unix socket, also below " +
			"TLS",
	},
	{Key: semconv.ClientPortKey, From: "the connection, if it is one of TCP"},
	{Key: semconv.NetworkPeerAddressKey, From: "as `client.address`"},
	{Key: semconv.NetworkPeerPortKey, From: "as `client.port`"},
	{
		Key: semconv.NetworkTransportKey,
		From: "`unix`, for a unix socket; absent from a call that comes through an HTTP " +
			"server",
	},
	{Key: semconv.UserAgentOriginalKey, From: "the call's metadata"},
}

var clientAttributes = []probe.Attribute{
	{Key: semconv.RPCSystemNameKey, From: "`grpc`"},
	{
		Key:  semconv.RPCMethodKey,
		From: "`package.Service/Method`; it is the span's name too",
	},
	{
		Key:  semconv.RPCResponseStatusCodeKey,
		From: "the status with which the call's stream was finished, as the program sees it",
	},
	{
		Key: semconv.ErrorTypeKey,
		From: "the same, if it is not `OK`, or the type of an error that is no status, or " +
			"`_OTHER`; the span's status is then `Error`",
	},
	{
		Key: semconv.ServerAddressKey,
		From: "the target that was dialled, without its scheme and the part behind a `?`: a " +
			"name, an address, or the path of a unix socket",
	},
	{
		Key:  semconv.ServerPortKey,
		From: "the same target; 443 where a `dns:` target names no port",
	},
	{
		Key:  semconv.NetworkPeerAddressKey,
		From: "the connection of the last attempt; absent if there was none",
	},
	{Key: semconv.NetworkPeerPortKey, From: "the same, if that is one of TCP"},
	{Key: semconv.NetworkTransportKey, From: "`unix`, for a unix socket"},
}

var support = []probe.Support{{
	Title: "gRPC, servers and clients", Suite: "grpc", Module: module, Short: "grpc", Label: "gRPC",
	ARM64: `A server and a client of gRPC, stripped: Go 1.27.4 compiles them with v1.85.0, and
  Go 1.18.10 with v1.40.0. The receiver writes headers into calls of v1.85.0 that a program of
  Go 1.26.8 makes.`,
}}
