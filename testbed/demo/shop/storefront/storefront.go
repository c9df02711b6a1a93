// Command storefront is the shop's entry, an HTTP service. It asks the catalogue for products,
// keeps the carts, and hands orders to the checkout. It knows nothing of tracing.
package main

import (
	"log"
	"net/http"
	"net/url"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/internal/serve"
	"github.com/spanprobe/spanprobe/testbed/demo/shop/shoppb"
)

func main() {
	serve.Main("storefront", func(address string) error {
		checkouts := shoppb.NewCheckoutClient(serve.Dial("checkout"))
		s := newStorefront(serve.NewClient(serve.URL("catalogue"), false), checkouts)
		return serve.HTTP(address, s.routes())
	})
}

type storefront struct {
	catalogue serve.Client
	carts     *carts
	checkouts shoppb.CheckoutClient
}

func newStorefront(catalogue serve.Client, checkouts shoppb.CheckoutClient) *storefront {
	return &storefront{catalogue, &carts{byID: map[string]cart{}}, checkouts}
}

func (s *storefront) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /products", s.listProducts)
	mux.HandleFunc("GET /products/{id}", s.showProduct)
	mux.HandleFunc("POST /cart", s.addToCart)
	mux.HandleFunc("GET /checkout", s.checkout)
	return mux
}

func (s *storefront) listProducts(w http.ResponseWriter, r *http.Request) {
	var products []serve.Product
	if s.look(w, r, "", http.StatusNotFound, &products) {
		serve.Answer(w, http.StatusOK, products)
	}
}

func (s *storefront) showProduct(w http.ResponseWriter, r *http.Request) {
	if product, ok := s.product(w, r, r.PathValue("id"), http.StatusNotFound); ok {
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
	product, ok := s.product(w, r, order.Product, http.StatusUnprocessableEntity)
	if ok {
		serve.Answer(w, http.StatusCreated, s.carts.add(order.Cart, product, order.Quantity))
	}
}

// product asks the catalogue for a product. It refuses the request with a status if there is none,
// and returns false.
func (s *storefront) product(
	w http.ResponseWriter, r *http.Request, id string, absent int,
) (product serve.Product, ok bool) {
	ok = s.look(w, r, "/"+url.PathEscape(id), absent, &product)
	return product, ok
}

// look is product for all that the catalogue has.
func (s *storefront) look(
	w http.ResponseWriter, r *http.Request, target string, absent int, found any,
) bool {
	code, err := s.catalogue.Ask(r.Context(), "/products"+target, nil, found)
	switch {
	case err == nil:
		return true
	case code == http.StatusNotFound:
		serve.Refuse(w, absent, "no such product")
	default:
		log.Printf("the catalogue: %v", err)
		serve.Refuse(w, http.StatusBadGateway, "the catalogue does not answer")
	}
	return false
}
