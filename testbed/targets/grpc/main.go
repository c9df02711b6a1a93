// Command server answers gRPC calls in every way in which a call can end. It
// knows nothing of tracing, and is built with each release of
// google.golang.org/grpc that is supported.
//
// It prints the address it listens on, and then, for each line on its standard
// input, how many calls have reached a handler. The line "release" lets those go
// on that block, "stop" stops gRPC's server at once, and "returned" asks for the
// status that the last handler has returned instead. It ends when that is closed.
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
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

func main() {
	network := flag.String("network", "tcp", "network to listen on")
	address := flag.String("listen", "127.0.0.1:0", "address to listen on")
	certificate := flag.String("cert", "", "certificate file: serve TLS")
	key := flag.String("key", "", "key file of the certificate")
	overHTTP := flag.Bool("http", false, "serve with net/http's server, which wants a certificate")
	workers := flag.Uint("workers", 0, "goroutines that serve one call after the other; 0: one for each call")
	recovers := flag.Bool("recover", false, "recover from panics of handlers")
	unknown := flag.Bool("unknown", false, "have a handler for methods that are not registered")
	streams := flag.Uint("streams", 0, "streams at a time on a connection; 0: as many as there come")
	flag.Parse()
	listener, err := net.Listen(*network, *address)
	if err != nil {
		log.Fatal(err)
	}
	options := []grpc.ServerOption{grpc.NumStreamWorkers(uint32(*workers))}
	if *streams > 0 {
		options = append(options, grpc.MaxConcurrentStreams(uint32(*streams)))
	}
	if *recovers {
		options = append(options, grpc.UnaryInterceptor(recoverUnary), grpc.StreamInterceptor(recoverStream))
	}
	if *unknown {
		options = append(options, grpc.UnknownServiceHandler(unregistered))
	}
	if *certificate != "" && !*overHTTP {
		pair, err := tls.LoadX509KeyPair(*certificate, *key)
		if err != nil {
			log.Fatal(err)
		}
		options = append(options, grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}})))
	}
	server := grpc.NewServer(options...)
	server.RegisterService(&calls, nil)
	go func() {
		if *overHTTP {
			web := &http.Server{Handler: server, ErrorLog: log.New(io.Discard, "", 0)}
			log.Fatal(web.ServeTLS(listener, *certificate, *key))
		}
		if err := server.Serve(listener); err != nil {
			log.Fatal(err)
		}
	}()
	fmt.Println(listener.Addr())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch lines.Text() {
		case "release":
			release()
		case "stop":
			server.Stop()
		case "returned":
			fmt.Println(atomic.LoadInt64(&returned))
			continue
		}
		fmt.Println(atomic.LoadInt64(&served))
	}
}
