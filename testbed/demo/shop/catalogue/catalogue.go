// Command catalogue is the shop's HTTP service that knows the products. It asks the inventory
// what is in stock, and knows nothing of tracing.
package main

import (
	"log"
	"net/http"
	"slices"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/internal/serve"
	"github.com/spanprobe/spanprobe/testbed/demo/shop/shoppb"
)

func main() {
	serve.Main("catalogue", func(address string) error {
		inventory := shoppb.NewInventoryClient(serve.Dial("inventory"))
		c := &catalogue{products: assortment(), inventory: inventory}
		return serve.HTTP(address, c.routes())
	})
}

type catalogue struct {
	products  []serve.Product // which never change
	inventory shoppb.InventoryClient
}

func (c *catalogue) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /products", c.list)
	mux.HandleFunc("GET /products/{id}", c.show)
	return mux
}

func (c *catalogue) list(w http.ResponseWriter, _ *http.Request) {
	serve.Answer(w, http.StatusOK, c.products)
}

func (c *catalogue) show(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	i := slices.IndexFunc(c.products, func(p serve.Product) bool { return p.ID == id })
	if i < 0 {
		serve.Refuse(w, http.StatusNotFound, "no such product")
		return
	}
	found := c.products[i]
	stock, err := c.inventory.GetStock(r.Context(), &shoppb.GetStockRequest{Product: found.ID})
	if err != nil {
		log.Printf("the stock of %q: %v", found.ID, err)
		serve.Refuse(w, http.StatusBadGateway, "the inventory does not answer")
		return
	}
	found.InStock = new(stock.GetQuantity())
	serve.Answer(w, http.StatusOK, found)
}

// assortment is sorted by id.
func assortment() []serve.Product {
	return []serve.Product{
		{ID: "blanket", Name: "Wool blanket", Category: "living", PriceCents: 8900},
		{ID: "kettle", Name: "Stovetop kettle", Category: "kitchen", PriceCents: 3900},
		{ID: "lamp", Name: "Reading lamp", Category: "living", PriceCents: 5400},
		{ID: "mug", Name: "Stoneware mug", Category: "kitchen", PriceCents: 1200},
		{ID: "teapot", Name: "Short and stout teapot", Category: "kitchen", PriceCents: 2750},
	}
}
