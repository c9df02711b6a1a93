// Command storefront is the shop's entry, an HTTP service. It asks the catalogue for products,
// keeps the carts, and hands orders to the checkout. It knows nothing of tracing.
package main

import (
	"context"
	"errors"
	"log"
	"net/http"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/internal/serve"
	"github.com/spanprobe/spanprobe/testbed/demo/shop/shoppb"
)

func main() {
	serve.Main("storefront", func(ctx context.Context, address string) error {
		checkouts := shoppb.NewCheckoutClient(serve.Dial("checkout"))
		s := newStorefront(newCatalogue(serve.URL("catalogue")), checkouts)
		return serve.HTTP(ctx, address, s.routes())
	})
}

type storefront struct {
	catalogue catalogue
	carts     *carts
	checkouts shoppb.CheckoutClient
}

func newStorefront(catalogue catalogue, checkouts shoppb.CheckoutClient) *storefront {
	return &storefront{catalogue, &carts{byID: map[string]cart{}}, checkouts}
}

func (s *storefront) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /products", s.listProducts)
	mux.HandleFunc("GET /products/{id}", s.showProduct)
	mux.HandleFunc("POST /cart", s.addToCart)
	mux.HandleFunc("DELETE /cart/{id}", s.emptyCart)
	mux.HandleFunc("GET /checkout", s.checkout)
	return mux
}

func (s *storefront) listProducts(w http.ResponseWriter, r *http.Request) {
	products, err := s.catalogue.list(r.Context(), r.URL.Query().Get("category"))
	if found(w, err, http.StatusBadGateway) {
		serve.Answer(w, http.StatusOK, products)
	}
}

func (s *storefront) showProduct(w http.ResponseWriter, r *http.Request) {
	product, err := s.catalogue.product(r.Context(), r.PathValue("id"))
	if found(w, err, http.StatusNotFound) {
		serve.Answer(w, http.StatusOK, product)
	}
}

func (s *storefront) addToCart(w http.ResponseWriter, r *http.Request) {
	var order struct {
		Cart     string `json:"cart"`
		Product  string `json:"product"`
		Quantity int64  `json:"quantity"`
	}
	if !serve.Read(w, r, &order) {
		return
	}
	if order.Cart == "" || order.Product == "" || order.Quantity < 1 {
		serve.Refuse(w, http.StatusUnprocessableEntity,
			"an order names a cart, a product and a quantity")
		return
	}
	product, err := s.catalogue.product(r.Context(), order.Product)
	if found(w, err, http.StatusUnprocessableEntity) {
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

// found refuses a request for which the catalogue has no product, with a status, or no answer. It
// returns false then.
func found(w http.ResponseWriter, err error, status int) bool {
	switch {
	case errors.Is(err, errNoProduct):
		serve.Refuse(w, status, err.Error())
	case err != nil:
		log.Printf("the catalogue: %v", err)
		serve.Refuse(w, http.StatusBadGateway, "the catalogue does not answer")
	}
	return err == nil
}
