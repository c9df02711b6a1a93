package grpc

import (
	"net"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/internal/model"
)

// attributes are those of a span that is being made.
type attributes []model.Attribute

func (a *attributes) add(key attribute.Key, value string) {
	if value != "" {
		*a = append(*a, model.String(string(key), value))
	}
}

func (a *attributes) addPort(key attribute.Key, port uint16) {
	if port != 0 {
		*a = append(*a, model.Int(string(key), int64(port)))
	}
}

// addMethod adds what was called, "/package.Service/Method" on the wire, and
// returns the span's name. Of a method that the server may not have, anybody chooses
// the name.
func (a *attributes) addMethod(method text, recognized bool) string {
	name := strings.TrimPrefix(method.Valid(methodLimit), "/")
	system := semconv.RPCSystemNameGRPC.Value.AsString()
	a.add(semconv.RPCSystemNameKey, system)
	if !recognized {
		a.add(semconv.RPCMethodKey, "_OTHER")
		a.add(semconv.RPCMethodOriginalKey, name)
		return system
	}
	a.add(semconv.RPCMethodKey, name)
	if name == "" {
		return system
	}
	return name
}

func (a *attributes) addServer(address string, port uint16) {
	a.add(semconv.ServerAddressKey, address)
	if address != "" {
		a.addPort(semconv.ServerPortKey, port)
	}
}

// serverOf gives the server that a target names, and the port, 0 if it has none:
// https://github.com/grpc/grpc/blob/master/doc/naming.md
func serverOf(target string) (address string, port uint16) {
	scheme, rest, ok := strings.Cut(target, ":")
	switch {
	case !ok:
		return target, 0
	case strings.HasPrefix(target, "["):
		return splitHostPort(target)
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
		if address, port = splitHostPort(scheme + ":" + rest); port == 0 {
			return "", 0
		}
		return address, port
	}
	if scheme == "passthrough" && strings.HasPrefix(rest, "unix:") {
		return serverOf(rest)
	}
	address, port = splitHostPort(rest)
	if scheme == "dns" && (address == rest || "["+address+"]" == rest) {
		port = 443 // what the resolver adds: internal/resolver/dns/dns_resolver.go
	}
	return address, port
}

// splitHostPort splits "host:port", "[address]:port" or either without a port.
func splitHostPort(s string) (host string, port uint16) {
	host, digits, err := net.SplitHostPort(s)
	if err != nil {
		if inside, ok := strings.CutPrefix(s, "["); ok {
			inside, ok = strings.CutSuffix(inside, "]")
			if !ok {
				return "", 0
			}
			return inside, 0
		}
		return s, 0
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return host, 0
	}
	return host, uint16(n)
}
