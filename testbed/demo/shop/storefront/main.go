// Command storefront is the shop's entry, an HTTP service: products, which it
// asks the catalogue for, carts, which it keeps, and orders, which it hands to
// the checkout. It knows nothing of tracing.
package main

import (
	"context"
	"errors"
	"flag"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/internal/serve"
	"github.com/spanprobe/spanprobe/testbed/demo/shop/shoppb"
)

func main() { serve.Main(run) }

func run(ctx context.Context) (err error) {
	listen := flag.String("listen", "127.0.0.1:8080", "the `address` to serve on")
	catalogueAddress := flag.String("catalogue", "127.0.0.1:8081", "the `address` of the catalogue")
	checkout := flag.String("checkout", "127.0.0.1:8082", "the `address` of the checkout")
	flag.Parse()
	conn, err := grpc.NewClient(*checkout, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	s := newStorefront(newCatalogue("http://"+*catalogueAddress), shoppb.NewCheckoutClient(conn))
	return serve.HTTP(ctx, *listen, s.routes())
}
