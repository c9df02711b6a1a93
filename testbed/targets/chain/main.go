// Command service is one of six that a request passes: HTTP/1, a unary call of gRPC, HTTP/2, a
// pool of workers behind channels, a stream of gRPC with a call for each message, and HTTP/1. It
// knows nothing of tracing.
//
// It prints the address that it listens on, and ends when its standard input is closed.
package main

import (
	"bufio"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"google.golang.org/grpc"
)

var (
	hop         = flag.Int("hop", 0, "which of the six this is, from 1")
	address     = flag.String("listen", "127.0.0.1:0", "address to listen on")
	next        = flag.String("next", "", "address of the next one")
	own         = flag.Bool("own", false, "say in HTTP requests whose child they are, as a program does that traces itself")
	perRequest  = flag.Bool("close", false, "have a connection for each request")
	certificate = flag.String("cert", "", "certificate file")
	key         = flag.String("key", "", "key file of the certificate")
)

func main() {
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(serve(listener)) }()
	fmt.Println(listener.Addr())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println("yes")
	}
}

// serve serves as the service of its number does.
func serve(listener net.Listener) error {
	switch *hop {
	case 1:
		return web(callUnary).Serve(listener)
	case 2:
		return grpc.NewServer(grpc.UnknownServiceHandler(answerUnary)).Serve(listener)
	case 3:
		return web(get("http", "hop4")).ServeTLS(listener, *certificate, *key)
	case 4:
		startWorkers()
		return web(inPool(callStream)).Serve(listener)
	case 5:
		return grpc.NewServer(grpc.UnknownServiceHandler(answerMessages)).Serve(listener)
	case 6:
		return web(nil).Serve(listener)
	}
	return fmt.Errorf("there is no service %d", *hop)
}

// web is a server whose answers need something done for a request's id.
func web(do action) *http.Server {
	return &http.Server{
		ErrorLog:  log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{NextProtos: []string{"h2"}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if do == nil {
				return
			}
			if err := do(r.Context(), id(r.URL.Path)); err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
			}
		}),
	}
}
