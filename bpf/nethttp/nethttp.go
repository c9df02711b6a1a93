// Package nethttp traces Go's net/http, and the HTTP/2 of golang.org/x/net: one
// SERVER span for each request that reached a handler, and one CLIENT span for
// each that a Transport was given.
package nethttp

import (
	"github.com/spanprobe/spanprobe/bpf/golang"
	"github.com/spanprobe/spanprobe/internal/probe"
)

const (
	// moduleNet has HTTP/2 servers and clients of its own, which programs put beside
	// or in place of those that come with Go.
	moduleNet = "golang.org/x/net"
	// moduleGRPC has servers that net/http's may give requests to.
	moduleGRPC = "google.golang.org/grpc"
)

func ofNet(structName, name string, slot uintptr) probe.Field {
	f := golang.FieldOf(moduleNet, moduleNet+"/http2", structName, name, slot)
	f.Optional = true
	return f
}
