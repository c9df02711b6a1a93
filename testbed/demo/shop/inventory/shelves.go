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

func (s *shelves) count(product string) (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.goods[product]
	return n, ok
}

// take returns what is left, and false, with nothing taken, if that is too little.
func (s *shelves) take(product string, n int64) (left int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.goods[product] < n {
		return s.goods[product], false
	}
	s.goods[product] -= n
	return s.goods[product], true
}

// put puts goods on the shelf of a product that has one.
func (s *shelves) put(product string, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.goods[product]; ok {
		s.goods[product] += n
	}
}
