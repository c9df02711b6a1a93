// Command calls is the program that the benchmark measures making calls, over HTTP/1.1 and
// gRPC, and serving those of gRPC.
package main

import (
	"flag"
	"net/http"

	"google.golang.org/grpc"

	"github.com/spanprobe/spanprobe/testbed/bench/server/program"
)

var (
	web         = flag.String("http", "", "`URL` to get over HTTP/1.1")
	rpc         = flag.String("grpc", "", "`address` to call over gRPC; none: serve")
	connections = flag.Int("connections", 1,
		"calls at a time: connections of HTTP/1.1, streams of one connection of gRPC")
)

// instrumentation is what a program is instrumented with.
type instrumentation struct {
	transport func(http.RoundTripper) http.RoundTripper
	dial      []grpc.DialOption
	serve     []grpc.ServerOption
}

// instrument is what byhand.go replaces.
var instrument = func() instrumentation {
	bare := func(base http.RoundTripper) http.RoundTripper { return base }
	return instrumentation{transport: bare}
}

// main makes calls as it is told on standard input, or serves, until that is closed.
func main() {
	program.Run(func() error {
		if *rpc == "" {
			return serve(instrument())
		}
		return follow(instrument())
	})
}
