package grpc

import (
	"strings"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/internal/record"
)

// addMethod adds the method, "/package.Service/Method" on the wire, and returns the span's name. A
// method that is not recognized may not exist: anybody can choose its name.
func addMethod(a *record.Attributes, method text, recognized bool) string {
	name := strings.TrimPrefix(method.Valid(methodLimit), "/")
	system := semconv.RPCSystemNameGRPC.Value.AsString()
	a.Add(semconv.RPCSystemNameKey, system)
	if !recognized {
		a.Add(semconv.RPCMethodKey, "_OTHER")
		a.Add(semconv.RPCMethodOriginalKey, name)
		return system
	}
	a.Add(semconv.RPCMethodKey, name)
	if name == "" {
		return system
	}
	return name
}

// serverOf gives the server that a target names, and the port, 0 if it has none:
// https://github.com/grpc/grpc/blob/master/doc/naming.md
func serverOf(target string) (address string, port uint16) {
	scheme, rest, ok := strings.Cut(target, ":")
	switch {
	case !ok:
		return target, 0
	case strings.HasPrefix(target, "["):
		return record.SplitHostPort(target)
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i] // what a resolver is told beside the name, a token perhaps
	}
	switch {
	case scheme == "unix":
		// "unix:path" or "unix:///absolute/path"
		return strings.TrimPrefix(rest, "//"), 0
	case scheme == "unix-abstract":
		return "@" + strings.TrimPrefix(rest, "//"), 0
	case strings.HasPrefix(rest, "//"):
		// "scheme://authority/endpoint", of whatever resolver
		_, rest, _ = strings.Cut(rest[len("//"):], "/")
	case scheme == "dns" || scheme == "passthrough" || scheme == "xds":
	default:
		// "host:port"; with anything else behind the colon it may be a scheme.
		if address, port = record.SplitHostPort(scheme + ":" + rest); port == 0 {
			return "", 0
		}
		return address, port
	}
	if scheme == "passthrough" && strings.HasPrefix(rest, "unix:") {
		return serverOf(rest)
	}
	address, port = record.SplitHostPort(rest)
	if scheme == "dns" && (address == rest || "["+address+"]" == rest) {
		port = 443 // what the resolver adds: internal/resolver/dns/dns_resolver.go
	}
	return address, port
}
