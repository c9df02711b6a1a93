package main

import (
	"context"
	"log"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/internal/serve"
	"github.com/spanprobe/spanprobe/testbed/demo/shop/shoppb"
)

func (s *storefront) checkout(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("cart")
	cart, ok := s.carts.get(id)
	if !ok {
		serve.Refuse(w, http.StatusNotFound, "no such cart")
		return
	}
	order := &shoppb.PlaceOrderRequest{Cart: id, Lines: cart.lines()}
	var err error
	// A product of the cart may not be sold any more.
	order.TotalCents, err = s.price(r.Context(), order.GetLines())
	if !found(w, err, http.StatusConflict) {
		return
	}
	receipt, err := s.checkouts.PlaceOrder(r.Context(), order)
	if err != nil {
		refuseOrder(w, id, err)
		return
	}
	serve.Answer(w, http.StatusOK,
		map[string]any{"cart": receipt.GetCart(), "total_cents": receipt.GetTotalCents()})
}

// price is what lines cost today, which may differ from when they were put into a cart.
func (s *storefront) price(ctx context.Context, lines []*shoppb.Line) (cents int64, err error) {
	for _, line := range lines {
		product, err := s.catalogue.product(ctx, line.GetProduct())
		if err != nil {
			return 0, err
		}
		cents += line.GetQuantity() * product.PriceCents
	}
	return cents, nil
}

// refuseOrder says in HTTP's words why the checkout refused.
func refuseOrder(w http.ResponseWriter, cart string, err error) {
	log.Printf("checkout of cart %q: %v", cart, err)
	refused := status.Convert(err)
	code, reason := http.StatusInternalServerError, "the order failed"
	switch delay, known := retryDelay(refused); {
	case refused.Code() == codes.FailedPrecondition:
		code, reason = http.StatusConflict, refused.Message()
	case refused.Code() == codes.Unavailable && known:
		w.Header().Set("Retry-After", strconv.Itoa(int(delay.Seconds())))
		code, reason = http.StatusServiceUnavailable, refused.Message()
	case refused.Code() == codes.Unavailable:
		code, reason = http.StatusServiceUnavailable, "the checkout does not answer"
	}
	serve.Refuse(w, code, reason)
}

// retryDelay is when the checkout says to come back, if it does.
func retryDelay(refused *status.Status) (time.Duration, bool) {
	for _, detail := range refused.Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok {
			return retry.GetRetryDelay().AsDuration(), true
		}
	}
	return 0, false
}
