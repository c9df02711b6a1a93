// Command calls is the program that the benchmark measures making calls, over HTTP/1.1 and
// gRPC, and serving those of gRPC.
package main

import (
	"context"
	"flag"
	"net/http"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/spanprobe/spanprobe/testbed/bench/server/program"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
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

// answerTimeout is how long an answer may take before the call has failed.
const answerTimeout = 10 * time.Second

// answers is the kind of a call that has one message, and several answers.
var answers = &grpc.StreamDesc{ServerStreams: true}

// caller makes calls, over HTTP/1.1 and gRPC.
type caller struct {
	client *http.Client
	conn   *grpc.ClientConn
}

// follow follows an order, and answers it with what came of it: a result.
func (c *caller) follow(line string) any {
	var o program.Order
	lines.Parse(line, &o)
	call := map[string]func(context.Context) error{
		"http": func(ctx context.Context) error {
			_, err := web.Get(ctx, c.client, *page)
			return err
		},
		"unary": func(ctx context.Context) error {
			return rpc.Invoke(ctx, c.conn, "/"+service+"/Unary", "gopher")
		},
		"stream": func(ctx context.Context) error {
			return rpc.Exchange(ctx, c.conn, answers, "/"+service+"/ServerStream")
		},
		// This is no call, but calls are made in it.
		"goroutines": func(context.Context) error { startGoroutines(o.Goroutines); return nil },
	}[o.Kind]
	bounded := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
		defer cancel()
		return call(ctx)
	}
	clients := slices.Repeat([]load.Client{bounded}, *connections)
	result, err := load.Run(context.Background(), o.Options, clients)
	if err != nil {
		panic(err)
	}
	return result
}

// startGoroutines starts so many, which do nothing.
func startGoroutines(number int) {
	var wg sync.WaitGroup
	for range number {
		wg.Go(func() {})
	}
	wg.Wait()
}
