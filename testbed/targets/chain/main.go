// Command chain is one of six services that a request passes: HTTP/1, a unary call of gRPC, HTTP/2,
// a pool of workers behind channels, a stream of gRPC with a call for each message, and HTTP/1. It
// knows nothing of tracing.
//
// It says the address that it listens on.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"

	"google.golang.org/grpc"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/lines"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/pool"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

var (
	hop     = flag.Int("hop", 0, "which of the six this is, from 1")
	address = flag.String("listen", web.Loopback, "address to listen on")
	next    = flag.String("next", "", "address of the next one")
	own     = flag.Bool("own", false,
		"say in HTTP requests whose child they are, as a program does that traces itself")
	perRequest = flag.Bool("close", false, "have a connection for each request")
)

func main() {
	flag.Parse()
	listener := web.Listen("tcp", *address)
	go func() { log.Fatal(serve(listener)) }()
	lines.Serve(listener.Addr().String(), func(string) interface{} { return "yes" })
}

// action does what there is to do for a request of an id.
type action func(ctx context.Context, id string) error

// serve serves as the service of its number does.
func serve(listener net.Listener) error {
	switch *hop {
	case 1:
		return server(callUnary).Serve(listener)
	case 2:
		get := get("https", "hop3")
		return calls(func(ctx context.Context, _ string) error {
			method, _ := grpc.Method(ctx)
			return get(ctx, id(method))
		}).Serve(listener)
	case 3:
		over := server(get("http", "hop4"))
		over.TLSConfig = web.Secure("h2")
		return over.ServeTLS(listener, "", "")
	case 4:
		return server(inPool(callStream)).Serve(listener)
	case 5:
		return calls(get("http", "hop6")).Serve(listener)
	case 6:
		return server(nil).Serve(listener)
	}
	return fmt.Errorf("there is no service %d", *hop)
}

// server is one whose answers need something done for a request's id.
func server(do action) *http.Server {
	return web.Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if do == nil {
			return
		}
		if err := do(r.Context(), id(r.URL.Path)); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	}))
}

// calls is one that does something for each message.
func calls(do action) *grpc.Server {
	return grpc.NewServer(grpc.UnknownServiceHandler(rpc.Each(do)))
}

// id is what is behind the first part of a path.
func id(path string) string {
	parts := strings.SplitN(path, "/", 3)
	return parts[len(parts)-1]
}

// inPool has a worker do something.
func inPool(do action) action {
	workers := pool.New(50)
	return func(ctx context.Context, id string) error {
		return workers.Do(ctx, func(ctx context.Context) error { return do(ctx, id) })
	}
}
