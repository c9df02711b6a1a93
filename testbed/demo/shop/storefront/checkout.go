package main

import (
	"log"
	"net/http"

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
	for _, line := range order.GetLines() {
		// The price may differ from when the product was put into the cart.
		product, ok := s.product(w, r, line.GetProduct(), http.StatusConflict)
		if !ok {
			return
		}
		order.TotalCents += line.GetQuantity() * product.PriceCents
	}
	receipt, err := s.checkouts.PlaceOrder(r.Context(), order)
	if err != nil {
		refuseOrder(w, id, err)
		return
	}
	serve.Answer(w, http.StatusOK,
		serve.Charge{Cart: receipt.GetCart(), TotalCents: receipt.GetTotalCents()})
}

// refuseOrder says in HTTP's words why the checkout refused.
func refuseOrder(w http.ResponseWriter, cart string, err error) {
	log.Printf("checkout of cart %q: %v", cart, err)
	switch refused := status.Convert(err); refused.Code() {
	case codes.FailedPrecondition:
		serve.Refuse(w, http.StatusConflict, refused.Message())
	case codes.Unavailable:
		serve.Refuse(w, http.StatusServiceUnavailable, "please try again later")
	default:
		serve.Refuse(w, http.StatusInternalServerError, "the order failed")
	}
}
