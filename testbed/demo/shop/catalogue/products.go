package main

import "slices"

type product struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Category   string `json:"category"`
	PriceCents int64  `json:"price_cents"`
}

// products are sorted by id. They never change once they are made.
type products []product

func assortment() products {
	return products{
		{"blanket", "Wool blanket", "living", 8900},
		{"kettle", "Stovetop kettle", "kitchen", 3900},
		{"lamp", "Reading lamp", "living", 5400},
		{"mug", "Stoneware mug", "kitchen", 1200},
		{"teapot", "Short and stout teapot", "kitchen", 2750},
	}
}

// list returns the products of a category, or all for "".
func (all products) list(category string) products {
	return slices.DeleteFunc(slices.Clone(all), func(p product) bool {
		return category != "" && p.Category != category
	})
}
