// Command catalogue is the shop's HTTP service that knows the products. What is
// in stock it asks the inventory. It knows nothing of tracing.
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
	listen := flag.String("listen", "127.0.0.1:8081", "the `address` to serve on")
	inventory := flag.String("inventory", "127.0.0.1:8084", "the `address` of the inventory")
	flag.Parse()
	conn, err := grpc.NewClient(*inventory, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	c := &catalogue{products: assortment(), inventory: shoppb.NewInventoryClient(conn)}
	return serve.HTTP(ctx, *listen, c.routes())
}
