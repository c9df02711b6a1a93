// Package nethttp traces Go's net/http, and the HTTP/2 of golang.org/x/net: one SERVER span for
// each request that reached a handler, and one CLIENT span for each that a Transport was given. It
// also has the programs that write headers into requests (Inject).
package nethttp

import (
	"github.com/spanprobe/spanprobe/bpf/golang"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// moduleNet has HTTP/2 servers and clients of its own, which programs put beside or in place of
// those that come with Go.
const moduleNet = "golang.org/x/net"

// GoHandler is the goroutine in which a TimeoutHandler runs another handler:
// src/net/http/server.go.
const GoHandler = "net/http.(*timeoutHandler).ServeHTTP.func1"

// Libraries lists those of this folder.
func Libraries() []probe.Library { return []probe.Library{Server(), Client(), Inject()} }

func ofNet(structName, name string, slot uintptr) probe.Field {
	f := golang.FieldOf(moduleNet, moduleNet+"/http2", structName, name, slot)
	f.Optional = true
	return f
}

// bundled is a field of HTTP/2 as net/http has it up to Go 1.26.
func bundled(structName, name string, slot uintptr) probe.Field {
	return golang.Optional("net/http", "http2"+structName, name, slot)
}

// internal is one of the same from Go 1.27 on.
func internal(structName, name string, slot uintptr) probe.Field {
	return golang.Optional("net/http/internal/http2", structName, name, slot)
}
