package main

import (
	"log"
	"net/http"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/internal/serve"
	"github.com/spanprobe/spanprobe/testbed/demo/shop/shoppb"
)

type catalogue struct {
	products  products
	inventory shoppb.InventoryClient
}

func (c *catalogue) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /products", c.list)
	mux.HandleFunc("GET /products/{id}", c.show)
	return mux
}

func (c *catalogue) list(w http.ResponseWriter, r *http.Request) {
	serve.Answer(w, http.StatusOK, c.products.list(r.URL.Query().Get("category")))
}

func (c *catalogue) show(w http.ResponseWriter, r *http.Request) {
	found, ok := c.products[r.PathValue("id")]
	if !ok {
		serve.Refuse(w, http.StatusNotFound, "no such product")
		return
	}
	stock, err := c.inventory.GetStock(r.Context(), &shoppb.GetStockRequest{Product: found.ID})
	if err != nil {
		log.Printf("the stock of %q: %v", found.ID, err)
		serve.Refuse(w, http.StatusBadGateway, "the inventory does not answer")
		return
	}
	serve.Answer(w, http.StatusOK, struct {
		product
		InStock int64 `json:"in_stock"`
	}{found, stock.GetQuantity()})
}
