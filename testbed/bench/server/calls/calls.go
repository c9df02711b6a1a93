// Package calls is the program that the benchmark measures making calls, over
// HTTP/1.1 and gRPC, and serving those of gRPC.
package calls

import (
	"flag"
	"net/http"

	"google.golang.org/grpc"
)

// Instrumentation is what a program is instrumented with by hand. The zero value
// is none.
type Instrumentation struct {
	Transport func(http.RoundTripper) http.RoundTripper
	Dial      []grpc.DialOption
	Serve     []grpc.ServerOption
}

// Program is what the flags say.
type Program struct {
	web, rpc    string
	connections int
}

// ParseFlags parses those of all programs, beside any that were defined before.
func ParseFlags() Program {
	var p Program
	flag.StringVar(&p.web, "http", "", "URL to get over HTTP/1.1")
	flag.StringVar(&p.rpc, "grpc", "", "`address` to call over gRPC; none: serve")
	flag.IntVar(&p.connections, "connections", 1, "calls at a time: connections of HTTP/1.1, streams of one connection of gRPC")
	flag.Parse()
	return p
}

// Run makes calls as it is told on standard input, or serves, until that is closed.
func (p Program) Run(i Instrumentation) error {
	if p.rpc == "" {
		return serve(i)
	}
	return p.follow(i)
}
