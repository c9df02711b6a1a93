package main

import (
	"slices"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/internal/serve"
)

// products are sorted by id. They never change once they are made.
type products []serve.Product

func assortment() products {
	return products{
		{ID: "blanket", Name: "Wool blanket", Category: "living", PriceCents: 8900},
		{ID: "kettle", Name: "Stovetop kettle", Category: "kitchen", PriceCents: 3900},
		{ID: "lamp", Name: "Reading lamp", Category: "living", PriceCents: 5400},
		{ID: "mug", Name: "Stoneware mug", Category: "kitchen", PriceCents: 1200},
		{ID: "teapot", Name: "Short and stout teapot", Category: "kitchen", PriceCents: 2750},
	}
}

// list returns the products of a category, or all for "".
func (all products) list(category string) products {
	return slices.DeleteFunc(slices.Clone(all), func(p serve.Product) bool {
		return category != "" && p.Category != category
	})
}
