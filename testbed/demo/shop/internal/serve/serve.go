// Package serve is how each service of the shop starts and ends.
package serve

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
)

// drain is how long calls in flight may take once a service is told to stop.
const drain = 3 * time.Second

// Main runs a service until SIGINT or SIGTERM, and ends the process.
func Main(run func(context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

// HTTP answers requests over HTTP/1 and, in clear text, HTTP/2 until ctx ends.
func HTTP(ctx context.Context, address string, handler http.Handler) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: protocols, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Printf("open on http://%s", listener.Addr())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := server.Shutdown(closing); err != nil {
		return err
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// GRPC answers the calls of the services that register adds until ctx ends.
func GRPC(ctx context.Context, address string, register func(grpc.ServiceRegistrar)) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	register(server)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Printf("open for gRPC on %s", listener.Addr())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// What is not done in time is cut off, which ends GracefulStop too.
	timer := time.AfterFunc(drain, server.Stop)
	defer timer.Stop()
	server.GracefulStop()
	return <-failed
}
