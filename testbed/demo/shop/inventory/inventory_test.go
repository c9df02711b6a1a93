package main

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/shoppb"
)

func TestEachReservedLineIsAnsweredWithWhatIsLeft(t *testing.T) {
	client := dial(t, map[string]int64{"mug": 5, "lamp": 2})
	got, err := reserve(t.Context(), client, line("mug", 2), line("lamp", 2), line("mug", 1))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{3, 0, 2}, got); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
}

func TestAReservationThatFailsLeavesTheShelvesAsTheyWere(t *testing.T) {
	for name, c := range map[string]struct {
		last *shoppb.Line
		want codes.Code
	}{
		"goods are short":      {line("lamp", 3), codes.FailedPrecondition},
		"there is no shelf":    {line("sofa", 1), codes.FailedPrecondition},
		"it is less than none": {line("lamp", -1), codes.InvalidArgument},
	} {
		client := dial(t, map[string]int64{"mug": 5, "lamp": 2})
		_, err := reserve(t.Context(), client, line("mug", 2), line("mug", 3), c.last)
		if status.Code(err) != c.want {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
		for product, want := range map[string]int64{"mug": 5, "lamp": 2} {
			if got := count(t, client, product); got != want {
				t.Errorf("%s: %d of %q are left, want %d", name, got, product, want)
			}
		}
	}
}

func TestAProductWithoutAShelfHasNoStock(t *testing.T) {
	client := dial(t, nil)
	_, err := client.GetStock(t.Context(), &shoppb.GetStockRequest{Product: "sofa"})
	if status.Code(err) != codes.NotFound {
		t.Errorf("error %v, want %v", err, codes.NotFound)
	}
}

func dial(t *testing.T, goods map[string]int64) shoppb.InventoryClient {
	t.Helper()
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	shoppb.RegisterInventoryServer(server, &inventory{shelves: &shelves{goods: goods}})
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:///inventory",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return listener.DialContext(ctx)
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return shoppb.NewInventoryClient(conn)
}

func line(product string, quantity int64) *shoppb.Line {
	return &shoppb.Line{Product: product, Quantity: quantity}
}

// reserve returns what was left of each line that was answered.
func reserve(
	ctx context.Context, client shoppb.InventoryClient, lines ...*shoppb.Line,
) ([]int64, error) {
	stream, err := client.Reserve(ctx, &shoppb.ReserveRequest{Lines: lines})
	if err != nil {
		return nil, err
	}
	var left []int64
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return left, nil
		}
		if err != nil {
			return left, err
		}
		left = append(left, answer.GetQuantity())
	}
}

func count(t *testing.T, client shoppb.InventoryClient, product string) int64 {
	t.Helper()
	stock, err := client.GetStock(t.Context(), &shoppb.GetStockRequest{Product: product})
	if err != nil {
		t.Fatal(err)
	}
	return stock.GetQuantity()
}
