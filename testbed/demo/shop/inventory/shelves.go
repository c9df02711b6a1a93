package main

import "sync"

// shelves hold the goods by product id. They are safe for concurrent use.
type shelves struct {
	mu    sync.Mutex
	goods map[string]int64
}

// stock is plenty of everything but of lamps.
func stock() *shelves {
	const plenty = 1_000_000
	return &shelves{goods: map[string]int64{
		"kettle": plenty, "teapot": plenty, "mug": plenty, "lamp": 1000, "blanket": plenty,
	}}
}

// put adds to the shelf of a product, or takes from it, and returns how many are there then. It
// changes nothing, and returns false, where there is no shelf or too little on it.
func (s *shelves) put(product string, n int64) (count int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count, ok = s.goods[product]
	if !ok || count+n < 0 {
		return count, false
	}
	s.goods[product] += n
	return s.goods[product], true
}
