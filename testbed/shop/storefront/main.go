// Command storefront is the shop's HTTP service: a catalogue, carts, and a
// checkout. It is a plain net/http server, and knows nothing of tracing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// drain is how long requests in flight may take once the service is told to stop.
const drain = 3 * time.Second

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "the `address` to serve on")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := serve(ctx, *listen)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "storefront:", err)
		os.Exit(1)
	}
}

// serve answers requests until ctx ends.
func serve(ctx context.Context, address string) error {
	server := &http.Server{
		Addr:              address,
		Handler:           newStorefront().routes(),
		ReadHeaderTimeout: 5 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	log.Printf("the shop is open on http://%s", address)

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
