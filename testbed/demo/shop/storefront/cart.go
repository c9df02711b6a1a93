package main

import (
	"maps"
	"slices"
	"sync"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/internal/serve"
	"github.com/spanprobe/spanprobe/testbed/demo/shop/shoppb"
)

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
