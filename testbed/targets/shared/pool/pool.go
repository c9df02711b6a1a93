// Package pool has workers do what requests need done.
package pool

import "context"

// Pool is workers, each a goroutine.
type Pool chan job

type job struct {
	ctx  context.Context
	do   func(context.Context) error
	done chan error
}

// New starts so many workers.
func New(workers int) Pool {
	p := make(Pool)
	for i := 0; i < workers; i++ {
		go func() {
			for j := range p {
				j.done <- j.do(j.ctx)
			}
		}()
	}
	return p
}

// Do has a worker do something with a context, and waits for it.
func (p Pool) Do(ctx context.Context, do func(context.Context) error) error {
	j := job{ctx, do, make(chan error, 1)}
	p <- j
	return <-j.done
}
