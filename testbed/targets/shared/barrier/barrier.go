// Package barrier has requests wait for each other.
package barrier

import "sync"

// Barrier is where they meet. The zero value is ready for use.
type Barrier struct {
	mu      sync.Mutex
	waiting int
	full    chan struct{}
}

// Wait returns when n have come.
func (b *Barrier) Wait(n int) {
	b.mu.Lock()
	if b.full == nil {
		b.full = make(chan struct{})
	}
	full := b.full
	if b.waiting++; b.waiting >= n {
		b.waiting, b.full = 0, nil
		close(full)
	}
	b.mu.Unlock()
	<-full
}
