package nethttp

import (
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/internal/probe"
)

var serverAttributes = []probe.Attribute{
	{
		Key: semconv.HTTPRequestMethodKey,
		From: "the request line, as it arrived; `_OTHER` if the conventions do not know the " +
			"method",
	},
	{
		Key:  semconv.HTTPRequestMethodOriginalKey,
		From: "the method that arrived, if `http.request.method` is `_OTHER`",
	},
	{Key: semconv.URLSchemeKey, From: "`https` if the connection has TLS, else `http`"},
	{
		Key:  semconv.URLPathKey,
		From: "the path of the request target, as it arrived: still percent-encoded",
	},
	{
		Key:  semconv.URLQueryKey,
		From: "the query of the request target, as it arrived; subject to `url_query`",
	},
	{
		Key:  semconv.HTTPRouteKey,
		From: "the pattern of the `ServeMux` that chose the handler (Go 1.22 and newer)",
	},
	{
		Key: semconv.HTTPResponseStatusCodeKey,
		From: "the status that the handler wrote; 200 if the handler wrote nothing and " +
			"returned",
	},
	{
		Key: semconv.ErrorTypeKey,
		From: "`panic`, `http.ErrAbortHandler` or `runtime.Goexit` if the handler ended that " +
			"way, else the status code, from 500 on; the span's status is then `Error`",
	},
	{Key: semconv.ServerAddressKey, From: "the `Host` header, or the target's authority"},
	{Key: semconv.ServerPortKey, From: "the same; absent where that names no port"},
	{
		Key: semconv.ClientAddressKey,
		From: "the connection, if it is one of TCP; forwarding headers are not " +
			"trusted",
	},
	{Key: semconv.NetworkPeerAddressKey, From: "the connection, if it is one of TCP"},
	{Key: semconv.NetworkPeerPortKey, From: "the connection, if it is one of TCP"},
	{Key: semconv.NetworkProtocolVersionKey, From: "`1.0`, `1.1` or `2`"},
	{Key: semconv.UserAgentOriginalKey, From: "the `User-Agent` header"},
}

var clientAttributes = []probe.Attribute{
	{
		Key:  semconv.HTTPRequestMethodKey,
		From: "the request; `_OTHER` if the conventions do not know the method",
	},
	{
		Key:  semconv.HTTPRequestMethodOriginalKey,
		From: "the method of the request, if `http.request.method` is `_OTHER`",
	},
	{
		Key: semconv.URLFullKey,
		From: "the URL of the request, without credentials; its query is subject to " +
			"`url_query`; absent where the request has no absolute URL",
	},
	{Key: semconv.ServerAddressKey, From: "the host of the URL"},
	{
		Key: semconv.ServerPortKey,
		From: "the port of the URL; where that names none, the port of the scheme; absent " +
			"where the host is the path of a unix socket",
	},
	{Key: semconv.HTTPResponseStatusCodeKey, From: "the response"},
	{Key: semconv.NetworkProtocolVersionKey, From: "the response: `1.0`, `1.1` or `2`"},
	{
		Key:  semconv.HTTPRequestResendCountKey,
		From: "how many redirects led to this request; absent if none did",
	},
	{
		Key: semconv.ErrorTypeKey,
		From: "the type of the error that the `Transport` returned (`*net.OpError`), else the " +
			"status code, from 400 on; the span's status is then `Error`. The value is " +
			"`_OTHER` where the type's name was not in memory, which is counted as " +
			"`spans_degraded`",
	},
	{
		Key: semconv.NetworkPeerAddressKey,
		From: "the connection, if it is one of TCP or of a unix socket, also below " +
			"TLS",
	},
	{Key: semconv.NetworkPeerPortKey, From: "the connection, if it is one of TCP"},
	{Key: semconv.NetworkTransportKey, From: "`unix`, for a unix socket"},
}

var support = []probe.Support{
	{
		Title: "Servers and clients of net/http", Suite: "nethttp",
		ARM64: `A server and a client of net/http, stripped: Go 1.27.4 and Go 1.18.10 compile them.
  The receiver writes headers into requests of HTTP/1 and HTTP/2 that a program of Go 1.26.8
  sends.`,
	},
	{
		Title: "Servers and clients of golang.org/x/net/http2", Suite: "nethttp",
		Module: moduleNet,
	},
}
