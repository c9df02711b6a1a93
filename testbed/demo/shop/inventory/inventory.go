// Command inventory is the shop's gRPC service that knows what lies on the shelves. It knows
// nothing of tracing.
package main

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/internal/serve"
	"github.com/spanprobe/spanprobe/testbed/demo/shop/shoppb"
)

func main() {
	serve.Main("inventory", func(address string) error {
		i := &inventory{shelves: stock(), walk: time.Millisecond}
		return serve.GRPC(address, func(s grpc.ServiceRegistrar) {
			shoppb.RegisterInventoryServer(s, i)
		})
	})
}

type inventory struct {
	shoppb.UnimplementedInventoryServer
	shelves *shelves
	walk    time.Duration // to a shelf
}

func (i *inventory) GetStock(
	_ context.Context, request *shoppb.GetStockRequest,
) (*shoppb.Stock, error) {
	n, ok := i.shelves.put(request.GetProduct(), 0)
	if !ok {
		return nil, status.Errorf(codes.NotFound, "there is no shelf for %q", request.GetProduct())
	}
	return &shoppb.Stock{Product: request.GetProduct(), Quantity: n}, nil
}

// reservation is the answer to a call of Reserve.
type reservation = grpc.ServerStreamingServer[shoppb.Stock]

func (i *inventory) Reserve(request *shoppb.ReserveRequest, stream reservation) error {
	for n, line := range request.GetLines() {
		if err := i.reserve(line, stream); err != nil {
			i.release(request.GetLines()[:n])
			return err
		}
	}
	return nil
}

// reserve takes one line and says what is left, or leaves all as it was.
func (i *inventory) reserve(line *shoppb.Line, stream reservation) error {
	product, quantity := line.GetProduct(), line.GetQuantity()
	if quantity < 1 {
		return status.Errorf(codes.InvalidArgument,
			"%d of %q cannot be reserved", quantity, product)
	}
	time.Sleep(i.walk)
	left, ok := i.shelves.put(product, -quantity)
	if !ok {
		return status.Errorf(codes.FailedPrecondition, "there are only %d of %q", left, product)
	}
	err := stream.Send(&shoppb.Stock{Product: product, Quantity: left})
	if err != nil {
		i.shelves.put(product, quantity)
	}
	return err
}

// release puts lines back on the shelves.
func (i *inventory) release(lines []*shoppb.Line) {
	for _, line := range lines {
		i.shelves.put(line.GetProduct(), line.GetQuantity())
	}
}

// shelves hold the goods by product id. They are safe for concurrent use.
type shelves struct {
	mu    sync.Mutex
	goods map[string]int64
}

// stock is plenty of everything but of lamps.
func stock() *shelves {
	const plenty = 1_000_000
	return &shelves{goods: map[string]int64{
		"kettle": plenty, "teapot": plenty, "mug": plenty, "lamp": 1000, "blanket": plenty,
	}}
}

// put adds to the shelf of a product, or takes from it, and returns how many are there then. It
// changes nothing, and returns false, where there is no shelf or too little on it.
func (s *shelves) put(product string, n int64) (count int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count, ok = s.goods[product]
	if !ok || count+n < 0 {
		return count, false
	}
	s.goods[product] += n
	return s.goods[product], true
}
