// Package pool has goroutines do what requests need done.
package pool

// Each does something with each number below n on a goroutine of its own, waits for them all, and
// returns an error if there was one.
func Each(n int, do func(i int) error) error {
	errs := make(chan error)
	for i := 0; i < n; i++ {
		go func(i int) { errs <- do(i) }(i)
	}
	var failure error
	for i := 0; i < n; i++ {
		if err := <-errs; err != nil {
			failure = err
		}
	}
	return failure
}

// Pool is workers, each a goroutine.
type Pool chan func()

// New starts so many workers.
func New(workers int) Pool {
	p := make(Pool)
	for i := 0; i < workers; i++ {
		go func() {
			for do := range p {
				do()
			}
		}()
	}
	return p
}

// Do has a worker do something, and waits for it.
func (p Pool) Do(do func() error) error {
	done := make(chan error, 1)
	p <- func() { done <- do() }
	return <-done
}
