package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/internal/serve"
	"github.com/spanprobe/spanprobe/testbed/demo/shop/shoppb"
)

var order = &shoppb.PlaceOrderRequest{
	Cart: "a", TotalCents: 2400, Lines: []*shoppb.Line{{Product: "mug", Quantity: 2}},
}

func TestAnOrderIsReservedAndThenCharged(t *testing.T) {
	goods := &inventory{}
	var charged map[string]any
	paid := func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/charges" || r.ProtoMajor != 2 {
			t.Errorf("%s %s %s, want POST /charges over HTTP/2", r.Method, r.URL, r.Proto)
		}
		if !goods.reserved {
			t.Error("it is charged for before it is reserved")
		}
		if err := json.NewDecoder(r.Body).Decode(&charged); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusCreated)
		w.Write([]byte("{}"))
	}
	c := &checkout{inventory: goods, payments: answering(t, paid)}
	receipt, err := c.PlaceOrder(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	if receipt.GetCart() != "a" || receipt.GetTotalCents() != 2400 {
		t.Errorf("the receipt is %v", receipt)
	}
	if diff := cmp.Diff(map[string]any{"cart": "a", "total_cents": 2400.0}, charged); diff != "" {
		t.Errorf("the charge (-want +got):\n%s", diff)
	}
}

func TestWhatPaymentsSaysBecomesAStatus(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		code   codes.Code
	}{
		"it is down and says why": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			w.Write([]byte(`{"error":"down"}`))
		}, codes.Unavailable},
		"it is down and says no more": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}, codes.Unavailable},
		"it hangs up": {func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}, codes.Unavailable},
		"it does not agree": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
		}, codes.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			shop := &checkout{inventory: &inventory{}, payments: answering(t, c.answer)}
			_, err := shop.PlaceOrder(t.Context(), order)
			if status.Code(err) != c.code {
				t.Errorf("error %v, want %v", err, c.code)
			}
		})
	}
}

func TestWhatIsShortIsNotChargedFor(t *testing.T) {
	c := &checkout{
		inventory: &inventory{err: status.Error(codes.FailedPrecondition, "there are only 1")},
		payments: answering(t, func(http.ResponseWriter, *http.Request) {
			t.Error("it was charged for")
		}),
	}
	if _, err := c.PlaceOrder(t.Context(), order); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("error %v, want %v", err, codes.FailedPrecondition)
	}
}

func TestAnEmptyOrderIsRefused(t *testing.T) {
	_, err := new(checkout).PlaceOrder(t.Context(), &shoppb.PlaceOrderRequest{Cart: "a"})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("error %v, want %v", err, codes.InvalidArgument)
	}
}

// answering is payments that answer so, over HTTP/2.
func answering(t *testing.T, answer http.HandlerFunc) serve.Client {
	t.Helper()
	server := httptest.NewUnstartedServer(answer)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	p := serve.NewClient(server.URL, true)
	t.Cleanup(p.CloseIdleConnections) // before Close, which waits for them
	return p
}

// inventory notes what it is asked for, and fails with err if that is set.
type inventory struct {
	shoppb.InventoryClient
	err      error
	reserved bool
}

func (i *inventory) Reserve(
	context.Context, *shoppb.ReserveRequest, ...grpc.CallOption,
) (grpc.ServerStreamingClient[shoppb.Stock], error) {
	i.reserved = true
	end := i.err
	if end == nil {
		end = io.EOF
	}
	return &stream{left: []*shoppb.Stock{{Product: "mug"}}, end: end}, nil
}

// stream gives what is left, and then its end.
type stream struct {
	grpc.ServerStreamingClient[shoppb.Stock]
	left []*shoppb.Stock
	end  error
}

func (s *stream) Recv() (*shoppb.Stock, error) {
	if len(s.left) == 0 {
		return nil, s.end
	}
	first := s.left[0]
	s.left = s.left[1:]
	return first, nil
}
