package main

import (
	"encoding/json"
	"errors"
	"log"
	"net/http"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/internal/serve"
	"github.com/spanprobe/spanprobe/testbed/demo/shop/shoppb"
)

// maxBody bounds what a request may carry, in bytes.
const maxBody = 64 << 10

type storefront struct {
	catalogue catalogue
	carts     *carts
	checkouts shoppb.CheckoutClient
}

func newStorefront(catalogue catalogue, checkouts shoppb.CheckoutClient) *storefront {
	return &storefront{catalogue: catalogue, carts: newCarts(), checkouts: checkouts}
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
	products, err := s.catalogue.list(r.Context(), r.URL.Query().Get("category"))
	if err != nil {
		refuseWithoutCatalogue(w, err)
		return
	}
	serve.Answer(w, http.StatusOK, products)
}

func (s *storefront) showProduct(w http.ResponseWriter, r *http.Request) {
	product, err := s.catalogue.product(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, errNoProduct):
		serve.Refuse(w, http.StatusNotFound, err.Error())
	case err != nil:
		refuseWithoutCatalogue(w, err)
	default:
		serve.Answer(w, http.StatusOK, product)
	}
}

func (s *storefront) addToCart(w http.ResponseWriter, r *http.Request) {
	var order struct {
		Cart     string `json:"cart"`
		Product  string `json:"product"`
		Quantity int64  `json:"quantity"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&order); err != nil {
		serve.Refuse(w, http.StatusBadRequest, "the body is no JSON order: "+err.Error())
		return
	}
	if order.Cart == "" || order.Product == "" || order.Quantity < 1 {
		serve.Refuse(w, http.StatusUnprocessableEntity, "an order names a cart, a product and a quantity")
		return
	}
	product, err := s.catalogue.product(r.Context(), order.Product)
	switch {
	case errors.Is(err, errNoProduct):
		serve.Refuse(w, http.StatusUnprocessableEntity, err.Error())
	case err != nil:
		refuseWithoutCatalogue(w, err)
	default:
		serve.Answer(w, http.StatusCreated, s.carts.add(order.Cart, product, order.Quantity))
	}
}

func (s *storefront) emptyCart(w http.ResponseWriter, r *http.Request) {
	if !s.carts.empty(r.PathValue("id")) {
		serve.Refuse(w, http.StatusNotFound, "no such cart")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func refuseWithoutCatalogue(w http.ResponseWriter, err error) {
	log.Printf("the catalogue: %v", err)
	serve.Refuse(w, http.StatusBadGateway, "the catalogue does not answer")
}
