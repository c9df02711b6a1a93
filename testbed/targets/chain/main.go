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
	"net"
	"net/http"
	"strconv"
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
	listening := web.Serve("tcp", *address, serve)
	lines.Serve(listening, func(string) interface{} { return "yes" })
}

// action does what there is to do for a request of an id.
type action func(ctx context.Context, id string) error

// serve serves as the service of its number does.
func serve(listener net.Listener) error {
	switch *hop {
	case 1:
		return server(call(func(ctx context.Context, c *grpc.ClientConn, id string) error {
			return rpc.Invoke(ctx, c, "/hop2/"+id, id)
		})).Serve(listener)
	case 2:
		get := get("https", "hop3")
		return calls(func(ctx context.Context, _ string) error {
			method, _ := grpc.Method(ctx)
			return get(ctx, id(method))
		}).Serve(listener)
	case 3:
		return web.OverTLS(server(get("http", "hop4")), "h2")(listener)
	case 4:
		workers := pool.New(50)
		converse := call(func(ctx context.Context, c *grpc.ClientConn, id string) error {
			return rpc.Converse(ctx, c, "/chain/"+id, []string{id + "/0", id + "/1"},
				grpc.WaitForReady(true))
		})
		return server(func(ctx context.Context, id string) error {
			return workers.Do(func() error { return converse(ctx, id) })
		}).Serve(listener)
	case 5:
		return calls(get("http", "hop6")).Serve(listener)
	case 6:
		return server(func(context.Context, string) error { return nil }).Serve(listener)
	}
	return fmt.Errorf("there is no service %d", *hop)
}

// server is one whose answers need something done for a request's id.
func server(do action) *http.Server {
	return web.Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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

// call makes calls to the next service, over one connection or a new one each.
func call(do func(ctx context.Context, c *grpc.ClientConn, id string) error) action {
	connect := func() *grpc.ClientConn { return rpc.Connect(*next, rpc.Secrets(false)) }
	if *perRequest {
		return func(ctx context.Context, id string) error {
			c := connect()
			defer c.Close()
			return do(ctx, c, id)
		}
	}
	var kept rpc.Kept
	return func(ctx context.Context, id string) error {
		return do(ctx, kept.Get(*next, connect), id)
	}
}

// get makes requests to the next service.
func get(scheme, path string) action {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: *perRequest, MaxIdleConnsPerHost: 200,
		TLSClientConfig: web.Trusting(), ForceAttemptHTTP2: true,
	}}
	return func(ctx context.Context, id string) error {
		url := fmt.Sprintf("%s://%s/%s/%s", scheme, *next, path, id)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if *own {
			n, err := strconv.Atoi(id)
			if err != nil {
				return err
			}
			request.Header.Set("traceparent", fmt.Sprintf("00-0b%030d-0b%014d-01", n, n))
		}
		version, err := web.Do(client, request)
		if err == nil && scheme == "https" && version != 2 {
			err = fmt.Errorf("%s: answered over HTTP/%d", url, version)
		}
		return err
	}
}
