package main

import (
	"cmp"
	"slices"
)

type product struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Category   string `json:"category"`
	PriceCents int    `json:"price_cents"`
}

// catalogue holds the products by id. It never changes once it is made.
type catalogue map[string]product

func stock() catalogue {
	c := catalogue{}
	for _, p := range []product{
		{"kettle", "Stovetop kettle", "kitchen", 3900},
		{"teapot", "Short and stout teapot", "kitchen", 2750},
		{"mug", "Stoneware mug", "kitchen", 1200},
		{"lamp", "Reading lamp", "living", 5400},
		{"blanket", "Wool blanket", "living", 8900},
	} {
		c[p.ID] = p
	}
	return c
}

// list returns the products of a category, or all for "", sorted by id.
func (c catalogue) list(category string) []product {
	products := []product{}
	for _, p := range c {
		if category == "" || p.Category == category {
			products = append(products, p)
		}
	}
	slices.SortFunc(products, func(a, b product) int { return cmp.Compare(a.ID, b.ID) })
	return products
}
