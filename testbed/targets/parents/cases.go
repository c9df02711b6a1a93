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

	"github.com/spanprobe/spanprobe/testbed/targets/shared/gate"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/pool"
)

// serve answers a request, or one of its messages.
func serve(ctx context.Context, path string, message int) error {
	parts := strings.Split(path, "/")
	if len(parts) != 5 || cases[parts[3]] == nil {
		return fmt.Errorf("no request: %q", path)
	}
	return cases[parts[3]](ctx, request{path: path, via: parts[2], message: message})
}

// way leads from a request to its calls.
type way func(context.Context, request) error

// with goes a way with a context that is made of the request's.
func with(change func(context.Context) context.Context, do way) way {
	return func(ctx context.Context, r request) error { return do(change(ctx), r) }
}

// none is a context that says nothing of the request.
func none(context.Context) context.Context { return context.Background() }

// cases are all of them, by their names. They are there when all is initialized.
var cases map[string]way

func allCases() map[string]way {
	all := map[string]way{
		// On the goroutine of the handler.
		"handler": callOnce, "sequence": sequence, "timeout-handler": callOnce,

		// On a goroutine that it starts.
		"goroutine": started(1), "fan-out": started(50), "errgroup": inGroup, "nested": nested(3),
		"timer": afterTimer,

		// On one that was there before.
		"pool": inPool, "lazy-pool": inLazyPool,

		// On one that goes on when the handler has returned.
		"after": with(withoutCancel, parked), "after-background": with(none, parked),
		"release-after": release, "release-after-background": release,

		// With contexts that the goroutine says nothing about: a worker makes the call.
		"without-cancel": with(withoutCancel, inPool), "with-timeout": withTimeout, "mixed": mixed,
		"ten-values": with(values(10), inPool), "thirty-values": with(values(30), inPool),
		"custom-pointer": with(pointerTo, inPool), "custom-value": with(valueOf, inPool),
		"custom-other": with(otherOf, inPool),
		"recycled":     recycled,

		// Through libraries that have goroutines of their own.
		"dialer": dialer, "sql": queried, "refreshed": refreshed,

		// On some of many that are started, and have ended when the request has.
		"multitude": multitude,

		// When many others are being answered too.
		"held": func(ctx context.Context, r request) error {
			holding.Wait(0)
			return r.call(ctx, 0)
		},
	}
	// The same with a context that says nothing of the request.
	for _, name := range []string{
		"handler", "goroutine", "fan-out", "nested", "timer", "pool", "lazy-pool", "held",
	} {
		all[name+"-background"] = with(none, all[name])
	}
	for _, more := range []map[string]way{workerCases(), startedCases()} {
		for name, do := range more {
			all[name] = do
		}
	}
	return all
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
func started(goroutines int) way {
	return func(ctx context.Context, r request) error {
		return pool.Each(goroutines, func(n int) error { return r.call(ctx, n) })
	}
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
func nested(depth int) way {
	if depth == 0 {
		return callOnce
	}
	return func(ctx context.Context, r request) error {
		return pool.Each(1, func(int) error { return nested(depth-1)(ctx, r) })
	}
}

// multitude starts 1000 goroutines, a hundred at a time. The first of each hundred makes a call.
func multitude(_ context.Context, r request) error {
	for n := 0; n < 10; n++ {
		if err := pool.Each(100, func(i int) error {
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

// inPool has a worker make a call.
func inPool(ctx context.Context, r request) error {
	return jobs.Do(func() error { return r.call(ctx, 0) })
}

// inLazyPool has one that the first request starts.
func inLazyPool(ctx context.Context, r request) error {
	lazy.once.Do(func() { lazy.jobs = pool.New(workers) })
	return lazy.jobs.Do(func() error { return r.call(ctx, 0) })
}

// waiting are the goroutines that handlers have left behind, by the paths of their requests. Each
// is sent where to answer that its call has ended.
var waiting sync.Map

// parked leaves a goroutine behind, which makes its call when it is released.
func parked(ctx context.Context, r request) error {
	released := make(chan chan error)
	waiting.Store(r.path, released)
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
	released, ok := waiting.Load(left)
	if !ok {
		return fmt.Errorf("%s has left nothing behind", left)
	}
	waiting.Delete(left)
	done := make(chan error)
	released.(chan chan error) <- done
	if err := <-done; err != nil {
		return err
	}
	return r.call(ctx, 0)
}

// holding is what requests wait at that are held.
var holding gate.Gate

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
