package main

import (
	"cmp"
	"slices"
)

type product struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Category   string `json:"category"`
	PriceCents int64  `json:"price_cents"`
}

// products are by id. They never change once they are made.
type products map[string]product

func assortment() products {
	all := products{}
	for _, p := range []product{
		{"kettle", "Stovetop kettle", "kitchen", 3900},
		{"teapot", "Short and stout teapot", "kitchen", 2750},
		{"mug", "Stoneware mug", "kitchen", 1200},
		{"lamp", "Reading lamp", "living", 5400},
		{"blanket", "Wool blanket", "living", 8900},
	} {
		all[p.ID] = p
	}
	return all
}

// list returns the products of a category, or all for "", sorted by id.
func (all products) list(category string) []product {
	listed := []product{}
	for _, p := range all {
		if category == "" || p.Category == category {
			listed = append(listed, p)
		}
	}
	slices.SortFunc(listed, func(a, b product) int { return cmp.Compare(a.ID, b.ID) })
	return listed
}
