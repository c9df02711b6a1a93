// Package gate has requests wait for each other.
package gate

import "sync"

// Gate is where they wait. The zero value is ready for use.
type Gate struct {
	mu      sync.Mutex
	waiting int
	opened  chan struct{}
}

// Wait returns when n wait, or when the gate is opened.
func (g *Gate) Wait(n int) {
	g.mu.Lock()
	if g.opened == nil {
		g.opened = make(chan struct{})
	}
	opened := g.opened
	if g.waiting++; g.waiting == n {
		g.open()
	}
	g.mu.Unlock()
	<-opened
}

// Waiting is how many wait.
func (g *Gate) Waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting
}

// Open lets them go on, and returns how many have waited.
func (g *Gate) Open() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open()
}

func (g *Gate) open() int {
	waited := g.waiting
	if waited > 0 {
		close(g.opened)
	}
	g.waiting, g.opened = 0, nil
	return waited
}
