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

// way leads from a request to its calls.
type way func(context.Context, request) error

// cases are all of them, by their names.
var cases map[string]way

func init() {
	cases = map[string]way{
		// On the goroutine of the handler.
		"handler":         callOnce,
		"sequence":        sequence,
		"timeout-handler": callOnce,

		// On a goroutine that it starts.
		"goroutine": func(ctx context.Context, r request) error { return started(ctx, r, 1) },
		"fan-out":   func(ctx context.Context, r request) error { return started(ctx, r, 50) },
		"errgroup":  inGroup,
		"nested":    func(ctx context.Context, r request) error { return nested(ctx, r, 3) },
		"timer":     afterTimer,

		// On one that was there before.
		"pool": func(ctx context.Context, r request) error { return r.inPool(ctx, jobs) },
		"lazy-pool": func(ctx context.Context, r request) error {
			return r.inPool(ctx, lazyPool())
		},

		// On one that goes on when the handler has returned.
		"after": func(ctx context.Context, r request) error {
			return parked(withoutCancel(ctx), r)
		},
		"after-background": func(_ context.Context, r request) error {
			return parked(context.Background(), r)
		},
		"release-after": release, "release-after-background": release,

		// With contexts that the goroutine says nothing about: a worker makes the call.
		"without-cancel": worker(withoutCancel), "with-timeout": withTimeout, "mixed": mixed,
		"ten-values": worker(tenValues), "thirty-values": worker(thirtyValues),
		"custom-pointer": worker(pointerTo), "custom-value": worker(valueOf),
		"custom-other": worker(otherOf),
		"recycled":     recycled,

		// Through libraries that have goroutines of their own.
		"dialer": dialer, "sql": queried, "refreshed": refreshed,

		// On some of many that are started, and have ended when the request has.
		"multitude": multitude,

		// When many others are being answered too.
		"held": func(ctx context.Context, r request) error {
			<-holding.until()
			return r.call(ctx, 0)
		},
	}
	// The same with a context that says nothing of the request.
	for _, name := range []string{
		"handler", "goroutine", "fan-out", "nested", "timer", "pool",
		"lazy-pool", "held",
	} {
		do := cases[name]
		cases[name+"-background"] = func(_ context.Context, r request) error {
			return do(context.Background(), r)
		}
	}
}

func callOnce(ctx context.Context, r request) error { return r.call(ctx, 0) }

func sequence(ctx context.Context, r request) error {
	for n := 0; n < 3; n++ {
		if err := r.call(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// started calls on so many goroutines, and waits for them.
func started(ctx context.Context, r request, goroutines int) error {
	return onEach(goroutines, func(n int) error { return r.call(ctx, n) })
}

func onEach(goroutines int, do func(n int) error) error {
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

// nested calls so many goroutines further down.
func nested(ctx context.Context, r request, depth int) error {
	if depth == 0 {
		return r.call(ctx, 0)
	}
	return onEach(1, func(int) error { return nested(ctx, r, depth-1) })
}

// multitude starts 1000 goroutines, a hundred at a time. The first of each hundred makes a call.
func multitude(_ context.Context, r request) error {
	for n := 0; n < 10; n++ {
		if err := onEach(100, func(i int) error {
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

// afterTimer calls on a goroutine that the runtime starts.
func afterTimer(ctx context.Context, r request) error {
	done := make(chan error)
	time.AfterFunc(time.Millisecond, func() { done <- r.call(ctx, 0) })
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
func (r request) inPool(ctx context.Context, jobs pool.Pool) error {
	return jobs.Do(ctx, func(ctx context.Context) error { return r.call(ctx, 0) })
}

// worker has one make a call with a context that is made of the request's.
func worker(change func(context.Context) context.Context) way {
	return func(ctx context.Context, r request) error { return r.inPool(change(ctx), jobs) }
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
