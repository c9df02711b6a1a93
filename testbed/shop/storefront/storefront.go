package main

import (
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"time"
)

// maxBody bounds what a request may carry, in bytes.
const maxBody = 64 << 10

type storefront struct {
	catalogue catalogue
	carts     *carts
	payments  payments
}

func newStorefront() *storefront {
	return &storefront{
		catalogue: stock(),
		carts:     newCarts(),
		payments:  payments{latency: 8 * time.Millisecond, retryAfter: 30 * time.Second},
	}
}

func (s *storefront) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /products", s.listProducts)
	mux.HandleFunc("GET /products/{id}", s.showProduct)
	mux.HandleFunc("POST /cart", s.addToCart)
	mux.HandleFunc("DELETE /cart/{id}", s.emptyCart)
	mux.HandleFunc("GET /checkout", s.checkout)
	return mux
}

func (s *storefront) health(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusNoContent)
}

func (s *storefront) listProducts(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, s.catalogue.list(r.URL.Query().Get("category")))
}

func (s *storefront) showProduct(w http.ResponseWriter, r *http.Request) {
	product, ok := s.catalogue[r.PathValue("id")]
	if !ok {
		refuse(w, http.StatusNotFound, "no such product")
		return
	}
	answer(w, http.StatusOK, product)
}

func (s *storefront) addToCart(w http.ResponseWriter, r *http.Request) {
	var order struct {
		Cart     string `json:"cart"`
		Product  string `json:"product"`
		Quantity int    `json:"quantity"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&order); err != nil {
		refuse(w, http.StatusBadRequest, "the body is no JSON order: "+err.Error())
		return
	}
	product, ok := s.catalogue[order.Product]
	switch {
	case !ok:
		refuse(w, http.StatusUnprocessableEntity, "no such product")
		return
	case order.Cart == "" || order.Quantity < 1:
		refuse(w, http.StatusUnprocessableEntity, "an order names a cart and a quantity")
		return
	}
	answer(w, http.StatusCreated, s.carts.add(order.Cart, product, order.Quantity))
}

func (s *storefront) emptyCart(w http.ResponseWriter, r *http.Request) {
	if !s.carts.empty(r.PathValue("id")) {
		refuse(w, http.StatusNotFound, "no such cart")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *storefront) checkout(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("cart")
	cart, ok := s.carts.get(id)
	if !ok {
		refuse(w, http.StatusNotFound, "no such cart")
		return
	}
	receipt, err := s.payments.charge(r.Context(), id, cart.TotalCents)
	switch {
	case errors.Is(err, errPaymentsDown):
		w.Header().Set("Retry-After", s.payments.retryAfterSeconds())
		refuse(w, http.StatusServiceUnavailable, err.Error())
	case err != nil:
		log.Printf("checkout of cart %q: %v", id, err)
		refuse(w, http.StatusInternalServerError, "the payment failed")
	default:
		answer(w, http.StatusOK, receipt)
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Printf("an answer was cut off: %v", err)
	}
}

func refuse(w http.ResponseWriter, status int, reason string) {
	answer(w, status, map[string]string{"error": reason})
}
