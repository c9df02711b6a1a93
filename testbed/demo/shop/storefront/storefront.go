// Command storefront is the shop's entry, an HTTP service. It asks the catalogue for products,
// keeps the carts, and hands orders to the checkout. It knows nothing of tracing.
package main

import (
	"log"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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

type cart struct {
	Items      map[string]int64 `json:"items"` // quantity by product id
	TotalCents int64            `json:"total_cents"`
}

// lines is what the checkout is to reserve, sorted by product.
func (c cart) lines() []*shoppb.Line {
	var lines []*shoppb.Line
	for _, product := range slices.Sorted(maps.Keys(c.Items)) {
		lines = append(lines, &shoppb.Line{Product: product, Quantity: c.Items[product]})
	}
	return lines
}

// carts is safe for concurrent use.
type carts struct {
	mu   sync.Mutex
	byID map[string]cart
}

// add puts a quantity of a product into a cart, which it makes if need be, and returns the cart as
// it is then.
func (c *carts) add(id string, p serve.Product, quantity int64) cart {
	c.mu.Lock()
	defer c.mu.Unlock()
	after := cart{map[string]int64{p.ID: quantity}, c.byID[id].TotalCents + quantity*p.PriceCents}
	// A cart that was handed out is never written again: its items are copied.
	for product, n := range c.byID[id].Items {
		after.Items[product] += n
	}
	c.byID[id] = after
	return after
}

func (c *carts) get(id string) (cart, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.byID[id]
	return found, ok
}
