package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/pool"
)

// serve answers a request, or one of its messages.
func serve(ctx context.Context, path string, message int) error {
	r, name, err := parse(path, message)
	if err != nil {
		return err
	}
	do := cases[name]
	if do == nil {
		return fmt.Errorf("no such case: %q", name)
	}
	return do(ctx, r)
}

// cases are the ways from a request to its calls.
var cases map[string]func(context.Context, request) error

func init() {
	cases = map[string]func(context.Context, request) error{
		// On the goroutine of the handler.
		"handler":            func(ctx context.Context, r request) error { return r.call(ctx, 0) },
		"handler-background": func(_ context.Context, r request) error { return r.call(context.Background(), 0) },
		"sequence":           sequence,
		"timeout-handler":    func(ctx context.Context, r request) error { return r.call(ctx, 0) },

		// On a goroutine that it starts.
		"goroutine": func(ctx context.Context, r request) error {
			return started(1, func(n int) error { return r.call(ctx, n) })
		},
		"goroutine-background": func(_ context.Context, r request) error { return started(1, r.callWithNothing) },
		"fan-out": func(ctx context.Context, r request) error {
			return started(50, func(n int) error { return r.call(ctx, n) })
		},
		"fan-out-background": func(_ context.Context, r request) error { return started(50, r.callWithNothing) },
		"errgroup":           inGroup,
		"nested":             func(ctx context.Context, r request) error { return nested(3, func() error { return r.call(ctx, 0) }) },
		"nested-background": func(_ context.Context, r request) error {
			return nested(3, func() error { return r.call(context.Background(), 0) })
		},
		"timer": func(ctx context.Context, r request) error { return afterTimer(func() error { return r.call(ctx, 0) }) },
		"timer-background": func(_ context.Context, r request) error {
			return afterTimer(func() error { return r.call(context.Background(), 0) })
		},

		// On one that was there before.
		"pool":                 func(ctx context.Context, r request) error { return inPool(jobs, ctx, r) },
		"pool-background":      func(_ context.Context, r request) error { return inPool(jobs, context.Background(), r) },
		"lazy-pool":            func(ctx context.Context, r request) error { return inPool(lazyPool(), ctx, r) },
		"lazy-pool-background": func(_ context.Context, r request) error { return inPool(lazyPool(), context.Background(), r) },

		// On one that goes on when the handler has returned.
		"after":                    func(ctx context.Context, r request) error { return parked(withoutCancel(ctx), r) },
		"after-background":         func(_ context.Context, r request) error { return parked(context.Background(), r) },
		"release-after":            release,
		"release-after-background": release,

		// With contexts that the goroutine says nothing about: a worker makes the call.
		"without-cancel": func(ctx context.Context, r request) error { return inPool(jobs, withoutCancel(ctx), r) },
		"with-timeout":   withTimeout,
		"ten-values":     func(ctx context.Context, r request) error { return inPool(jobs, values(ctx, 10), r) },
		"thirty-values":  func(ctx context.Context, r request) error { return inPool(jobs, values(ctx, 30), r) },
		"mixed":          mixed,
		"custom-pointer": func(ctx context.Context, r request) error { return inPool(jobs, &pointerContext{Context: ctx}, r) },
		"custom-value":   func(ctx context.Context, r request) error { return inPool(jobs, valueContext{Context: ctx}, r) },
		"custom-other": func(ctx context.Context, r request) error {
			return inPool(jobs, &otherContext{name: "other", under: ctx}, r)
		},
		"recycled": recycled,

		// Through libraries that have goroutines of their own.
		"dialer":    dialer,
		"sql":       queried,
		"refreshed": refreshed,

		// On some of many that are started, and have ended when the request has.
		"multitude": multitude,

		// When many others are being answered too.
		"held": func(ctx context.Context, r request) error {
			<-holding.until()
			return r.call(ctx, 0)
		},
		"held-background": func(_ context.Context, r request) error {
			<-holding.until()
			return r.call(context.Background(), 0)
		},
	}
}

func (r request) callWithNothing(n int) error { return r.call(context.Background(), n) }

func sequence(ctx context.Context, r request) error {
	for n := 0; n < 3; n++ {
		if err := r.call(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// started does something on so many goroutines, and waits for them.
func started(goroutines int, do func(n int) error) error {
	errs := make(chan error)
	for n := 0; n < goroutines; n++ {
		go func(n int) { errs <- do(n) }(n)
	}
	var failure error
	for n := 0; n < goroutines; n++ {
		if err := <-errs; err != nil {
			failure = err
		}
	}
	return failure
}

func inGroup(ctx context.Context, r request) error {
	group, ctx := errgroup.WithContext(ctx)
	numbered := func(n int) func() error { return func() error { return r.call(ctx, n) } }
	for n := 0; n < 3; n++ {
		group.Go(numbered(n))
	}
	return group.Wait()
}

// nested does something so many goroutines further down.
func nested(depth int, do func() error) error {
	if depth == 0 {
		return do()
	}
	done := make(chan error)
	go func() { done <- nested(depth-1, do) }()
	return <-done
}

// multitude starts 1000 goroutines, a hundred at a time. The first of each hundred makes a call.
func multitude(_ context.Context, r request) error {
	for n := 0; n < 10; n++ {
		if err := started(100, func(i int) error {
			if i > 0 {
				return nil
			}
			return r.call(context.Background(), n)
		}); err != nil {
			return err
		}
	}
	return nil
}

// afterTimer does something on a goroutine that the runtime starts.
func afterTimer(do func() error) error {
	done := make(chan error)
	time.AfterFunc(time.Millisecond, func() { done <- do() })
	return <-done
}

const workers = 4

// jobs has workers that were there before the first request.
var jobs pool.Pool

var lazy struct {
	once sync.Once
	jobs pool.Pool
}

// lazyPool has workers that the first request starts.
func lazyPool() pool.Pool {
	lazy.once.Do(func() { lazy.jobs = pool.New(workers) })
	return lazy.jobs
}

// inPool has a worker make a call.
func inPool(jobs pool.Pool, ctx context.Context, r request) error { //nolint:revive // the context is what the worker is given
	return jobs.Do(ctx, func(ctx context.Context) error { return r.call(ctx, 0) })
}

// waiting are the goroutines that handlers have left behind.
var waiting = struct {
	sync.Mutex
	known map[string]chan chan error
}{known: map[string]chan chan error{}}

// parked leaves a goroutine behind, which makes its call when it is released.
func parked(ctx context.Context, r request) error {
	released := make(chan chan error)
	waiting.Lock()
	waiting.known[r.path] = released
	waiting.Unlock()
	go func() {
		done := <-released
		done <- r.call(ctx, 0)
	}()
	return nil
}

// release lets the goroutine make its call that another request left behind, waits for it,
// and makes one itself.
func release(ctx context.Context, r request) error {
	left := strings.Replace(r.path, "/release-", "/", 1)
	waiting.Lock()
	released := waiting.known[left]
	delete(waiting.known, left)
	waiting.Unlock()
	if released == nil {
		return fmt.Errorf("%s has left nothing behind", left)
	}
	done := make(chan error)
	released <- done
	if err := <-done; err != nil {
		return err
	}
	return r.call(ctx, 0)
}

// holding is what requests wait for that are held.
var holding = hold{released: make(chan struct{})}

type hold struct {
	mu       sync.Mutex
	held     int
	released chan struct{}
}

func (h *hold) until() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held++
	return h.released
}

// count returns how many wait.
func (h *hold) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held
}

// release lets them go on, and returns how many have waited.
func (h *hold) release() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.released)
	held := h.held
	h.held, h.released = 0, make(chan struct{})
	return held
}

// dialer makes a call over a connection that is established by another goroutine, which makes
// a call itself to find out where to.
func dialer(ctx context.Context, r request) error {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if err := r.call(context.Background(), 1); err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	defer transport.CloseIdleConnections()
	return get(ctx, &http.Client{Transport: transport}, r.name(0))
}
