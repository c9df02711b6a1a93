// Command calls is the program that the benchmark measures making calls, over HTTP/1.1 and
// gRPC, and serving those of gRPC.
package main

import (
	"context"
	"flag"
	"net/http"

	"google.golang.org/grpc"

	"github.com/spanprobe/spanprobe/testbed/bench/server/program"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/lines"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

const service = "bench.Greeter"

var (
	page        = flag.String("http", "", "`URL` to get over HTTP/1.1")
	called      = flag.String("grpc", "", "`address` to call over gRPC; none: serve")
	connections = flag.Int("connections", 1,
		"calls at a time: connections of HTTP/1.1, streams of one connection of gRPC")
)

// instrument is what byhand.go replaces.
var instrument = func(transport http.RoundTripper) (
	http.RoundTripper, []grpc.DialOption, []grpc.ServerOption,
) {
	return transport, nil, nil
}

// main makes calls as it is told on standard input, or serves, until that is closed.
func main() {
	program.Run(func() {
		transport, dial, serve := instrument(&http.Transport{MaxIdleConnsPerHost: *connections})
		if *called == "" {
			server := grpc.NewServer(serve...)
			server.RegisterService(
				rpc.Calls(service, func(context.Context) error { return nil }), nil)
			lines.Serve(web.Serve("tcp", web.Loopback, server.Serve), nil)
			return
		}
		dial = append(dial, rpc.Secrets(false), grpc.WithNoProxy())
		c := &caller{&http.Client{Transport: transport}, rpc.Connect(*called, dial...)}
		lines.Serve("ready", c.follow)
	})
}
