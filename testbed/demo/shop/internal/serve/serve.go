// Package serve is how each service of the shop starts and ends.
package serve

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// drain is how long calls in flight may take once a service is told to stop.
const drain = 3 * time.Second

// addresses are where the services listen, each a flag of every service.
var addresses = map[string]*string{
	"storefront": flag.String("storefront", "127.0.0.1:8080", "the `address` of the storefront"),
	"catalogue":  flag.String("catalogue", "127.0.0.1:8081", "the `address` of the catalogue"),
	"checkout":   flag.String("checkout", "127.0.0.1:8082", "the `address` of the checkout"),
	"payments":   flag.String("payments", "127.0.0.1:8083", "the `address` of payments"),
	"inventory":  flag.String("inventory", "127.0.0.1:8084", "the `address` of the inventory"),
}

// Main runs a service until SIGINT or SIGTERM, and ends the process.
func Main(name string, run func(ctx context.Context, address string) error) {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *addresses[name])
	stop()
	if err != nil {
		log.Fatal(err)
	}
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

// HTTP answers requests over HTTP/1 and, in clear text, HTTP/2 until ctx ends.
func HTTP(ctx context.Context, address string, handler http.Handler) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler: handler, Protocols: protocols, ReadHeaderTimeout: 5 * time.Second,
	}
	return serve(ctx, "http", address, server.Serve, func() error {
		closing, cancel := context.WithTimeout(context.Background(), drain)
		defer cancel()
		return server.Shutdown(closing)
	})
}

// GRPC answers the calls of the services that register adds until ctx ends.
func GRPC(ctx context.Context, address string, register func(grpc.ServiceRegistrar)) error {
	server := grpc.NewServer()
	register(server)
	return serve(ctx, "grpc", address, server.Serve, func() error {
		// Calls that are not done in time are cut off, which ends GracefulStop too.
		timer := time.AfterFunc(drain, server.Stop)
		defer timer.Stop()
		server.GracefulStop()
		return nil
	})
}

func serve(
	ctx context.Context, scheme, address string, accept func(net.Listener) error, stop func() error,
) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- accept(listener) }()
	log.Printf("open on %s://%s", scheme, listener.Addr())

	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	if err := stop(); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
