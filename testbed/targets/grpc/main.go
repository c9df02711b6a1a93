// Command grpc answers gRPC calls in every way in which a call can end. It
// knows nothing of tracing, and is built with each release of
// google.golang.org/grpc that is supported.
//
// It says the address that it listens on, and answers each line with how many calls have reached a
// handler. The line "release" lets those go on that block, "stop" stops gRPC's server at once, and
// "returned" asks for the status that the last handler has returned instead.
package main

import (
	"flag"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/lines"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

func main() {
	network := flag.String("network", "tcp", "network to listen on")
	address := flag.String("listen", web.Loopback, "address to listen on")
	secure := flag.Bool("tls", false, "serve TLS, with a certificate of its own")
	overHTTP := flag.Bool("http", false, "serve TLS with net/http's server")
	workers := flag.Uint("workers", 0,
		"goroutines that serve one call after the other; 0: one for each call")
	recovers := flag.Bool("recover", false, "recover from panics of handlers")
	unknown := flag.Bool("unknown", false, "have a handler for methods that are not registered")
	streams := flag.Uint("streams", 0,
		"streams at a time on a connection; 0: as many as there come")
	flag.Parse()
	options := []grpc.ServerOption{
		grpc.NumStreamWorkers(uint32(*workers)), grpc.MaxConcurrentStreams(uint32(*streams)),
	}
	if *recovers {
		options = append(options, grpc.UnaryInterceptor(recoverUnary),
			grpc.StreamInterceptor(recoverStream))
	}
	if *unknown {
		options = append(options, grpc.UnknownServiceHandler(rpc.Last(end)))
	}
	if *secure {
		options = append(options, grpc.Creds(credentials.NewTLS(web.Secure())))
	}
	server := grpc.NewServer(options...)
	server.RegisterService(rpc.Calls("testbed.Calls", end), nil)
	serve := server.Serve
	if *overHTTP {
		serve = web.OverTLS(web.Server(server))
	}
	lines.Serve(web.Serve(*network, *address, serve), func(line string) interface{} {
		switch line {
		case "release":
			releaseOnce.Do(func() { close(released) })
		case "stop":
			server.Stop()
		case "returned":
			return atomic.LoadInt64(&returned)
		}
		return atomic.LoadInt64(&served)
	})
}
