// Command checkout is the shop's gRPC service that turns carts into orders: it takes the goods
// from the inventory, and charges for them through payments. It knows nothing of tracing.
package main

import (
	"context"
	"errors"
	"io"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/internal/serve"
	"github.com/spanprobe/spanprobe/testbed/demo/shop/shoppb"
)

func main() {
	serve.Main("checkout", func(address string) error {
		inventory := shoppb.NewInventoryClient(serve.Dial("inventory"))
		payments := serve.NewClient(serve.URL("payments"), true)
		c := &checkout{inventory: inventory, payments: payments}
		return serve.GRPC(address, func(s grpc.ServiceRegistrar) {
			shoppb.RegisterCheckoutServer(s, c)
		})
	})
}

type checkout struct {
	shoppb.UnimplementedCheckoutServer
	inventory shoppb.InventoryClient
	payments  serve.Client
}

func (c *checkout) PlaceOrder(
	ctx context.Context, order *shoppb.PlaceOrderRequest,
) (*shoppb.Receipt, error) {
	if order.GetCart() == "" || len(order.GetLines()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "an order names a cart and what is in it")
	}
	if err := c.reserve(ctx, order.GetLines()); err != nil {
		return nil, err
	}
	if err := c.charge(ctx, order); err != nil {
		return nil, err // the goods stay reserved, until somebody looks after the order
	}
	return &shoppb.Receipt{Cart: order.GetCart(), TotalCents: order.GetTotalCents()}, nil
}

// reserve returns when all lines are off the shelves, or all are back. The inventory's status is
// the answer's.
func (c *checkout) reserve(ctx context.Context, lines []*shoppb.Line) error {
	stream, err := c.inventory.Reserve(ctx, &shoppb.ReserveRequest{Lines: lines})
	if err != nil {
		return err
	}
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// charge has payments charge for an order. It fails with a status of gRPC.
func (c *checkout) charge(ctx context.Context, order *shoppb.PlaceOrderRequest) error {
	charge := serve.Charge{Cart: order.GetCart(), TotalCents: order.GetTotalCents()}
	answered, err := c.payments.Ask(ctx, "/charges", charge, &charge)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	case answered == 0 || answered == http.StatusServiceUnavailable:
		return status.Errorf(codes.Unavailable, "payments: %v", err)
	}
	return status.Errorf(codes.Internal, "payments: %v", err)
}
