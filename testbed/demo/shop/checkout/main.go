// Command checkout is the shop's gRPC service that turns carts into orders: it
// takes the goods from the inventory, and charges for them through payments. It
// knows nothing of tracing.
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
	listen := flag.String("listen", "127.0.0.1:8082", "the `address` to serve on")
	paymentsAddress := flag.String("payments", "127.0.0.1:8083", "the `address` of payments")
	inventory := flag.String("inventory", "127.0.0.1:8084", "the `address` of the inventory")
	flag.Parse()
	conn, err := grpc.NewClient(*inventory, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	c := &checkout{inventory: shoppb.NewInventoryClient(conn), payments: newPayments("http://" + *paymentsAddress)}
	return serve.GRPC(ctx, *listen, func(s grpc.ServiceRegistrar) { shoppb.RegisterCheckoutServer(s, c) })
}
