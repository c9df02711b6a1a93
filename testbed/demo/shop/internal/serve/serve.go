// Package serve is how the services of the shop listen, and ask each other.
package serve

import (
	"flag"
	"log"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// addresses are where the services listen, each a flag of every service.
var addresses = map[string]*string{
	"storefront": flag.String("storefront", "127.0.0.1:8080", "the `address` of the storefront"),
	"catalogue":  flag.String("catalogue", "127.0.0.1:8081", "the `address` of the catalogue"),
	"checkout":   flag.String("checkout", "127.0.0.1:8082", "the `address` of the checkout"),
	"payments":   flag.String("payments", "127.0.0.1:8083", "the `address` of payments"),
	"inventory":  flag.String("inventory", "127.0.0.1:8084", "the `address` of the inventory"),
}

// Main runs a service until it fails, or the process is told to end.
func Main(name string, run func(address string) error) {
	flag.Parse()
	log.Fatal(run(*addresses[name]))
}

// URL is that of an HTTP service.
func URL(name string) string { return "http://" + *addresses[name] }

// Dial is a connection in clear text to a gRPC service, made when the first call is.
func Dial(name string) *grpc.ClientConn {
	plain := grpc.WithTransportCredentials(insecure.NewCredentials())
	conn, err := grpc.NewClient(*addresses[name], plain)
	if err != nil {
		log.Fatal(err)
	}
	return conn
}

// HTTP answers requests over HTTP/1 and, in clear text, HTTP/2.
func HTTP(address string, handler http.Handler) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler: handler, Protocols: protocols, ReadHeaderTimeout: 5 * time.Second,
	}
	return serve("http", address, server.Serve)
}

// GRPC answers the calls of the services that register adds.
func GRPC(address string, register func(grpc.ServiceRegistrar)) error {
	server := grpc.NewServer()
	register(server)
	return serve("grpc", address, server.Serve)
}

func serve(scheme, address string, accept func(net.Listener) error) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	log.Printf("open on %s://%s", scheme, listener.Addr())
	return accept(listener)
}
