package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Jeffail/tunny"
	"github.com/panjf2000/ants/v2"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/pool"
)

// worker has one of its goroutines do something, and waits for it.
type worker interface{ Do(do func() error) error }

// lazyPools make pools that the first request for them starts, each in its own way.
var lazyPools = map[string]func() worker{
	"unbuffered": func() worker { return &lazily{start: func() worker { return pool.New(1) }} },
	"buffered":   func() worker { return &growing{jobs: make(chan func(), 100)} },
	"queue":      func() worker { return &lazily{start: newQueue} },
	"ants":       newAnts,
	"tunny":      func() worker { return &lazily{start: newTunny} },
	"dispatched": func() worker { return &lazily{start: newDispatched} },
}

// workerCases are the ways to a call by a worker that another request has started. Each has a pool
// of its own. A request whose case begins with "start" gives the pool its first work, and hangs.
func workerCases() map[string]way {
	all := map[string]way{}
	for name, start := range lazyPools {
		for given, change := range map[string]func(context.Context) context.Context{
			"plain":         func(ctx context.Context) context.Context { return ctx },
			"background":    none,
			"slowly":        none,
			"thirty-values": values(30),
			"other":         otherOf,
			"framework":     frameworkOf,
			"hidden":        hidden,
		} {
			p, slowly := start(), given == "slowly"
			do := func(ctx context.Context, r request) error {
				return p.Do(func() error {
					if slowly {
						time.Sleep(time.Millisecond)
					}
					return r.call(ctx, 0)
				})
			}
			all["start-"+name+"-"+given] = func(ctx context.Context, r request) error {
				defer holding.Wait(0)
				return do(context.Background(), r)
			}
			all[name+"-"+given] = with(change, do)
		}
	}
	return all
}

// startedCases are the ways to calls on goroutines that a request starts for itself.
func startedCases() map[string]way {
	return map[string]way{
		"limited-group": limitedGroup, "single-flight": singleFlight, "semaphore": withSemaphore,
		"context-first": contextFirst, "context-last": contextLast,
		"timeout-handler-twice": contextFirstHere, "timeout-handler-body": contextFirstHere,
		"context-first-body": contextFirst, "crowd": crowded,
		"goroutine-other":   with(otherOf, started(1)),
		"goroutine-hidden":  with(hidden, started(1)),
		"goroutine-deep":    with(values(30), started(1)),
		"goroutine-derived": with(derived, started(1)),
	}
}

// derived is a context of no request that has been derived in each way of the standard library.
func derived(context.Context) context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	time.AfterFunc(time.Minute, stop)
	ctx, cancel := context.WithCancel(context.WithValue(ctx, valueKey(0), 0))
	time.AfterFunc(time.Minute, cancel)
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	time.AfterFunc(time.Minute, cancel)
	return ctx
}

// lazily is a pool that the first request starts.
type lazily struct {
	start func() worker
	once  sync.Once
	pool  worker
}

func (l *lazily) Do(do func() error) error {
	l.once.Do(func() { l.pool = l.start() })
	return l.pool.Do(do)
}

// growing has each request start one more worker, up to a limit. The work waits in a buffer.
type growing struct {
	jobs    chan func()
	mu      sync.Mutex
	started int
}

func (g *growing) Do(do func() error) error {
	g.mu.Lock()
	if g.started < workers {
		g.started++
		go func() {
			for job := range g.jobs {
				job()
			}
		}()
	}
	g.mu.Unlock()
	done := make(chan error, 1)
	g.jobs <- func() { done <- do() }
	return <-done
}

// queue is a list with a condition.
type queue struct {
	mu   sync.Mutex
	cond *sync.Cond
	jobs []func()
}

func newQueue() worker {
	q := &queue{}
	q.cond = sync.NewCond(&q.mu)
	for i := 0; i < workers; i++ {
		go func() {
			for {
				q.next()()
			}
		}()
	}
	return q
}

func (q *queue) next() func() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.jobs) == 0 {
		q.cond.Wait()
	}
	job := q.jobs[0]
	q.jobs = q.jobs[1:]
	return job
}

func (q *queue) Do(do func() error) error {
	done := make(chan error, 1)
	q.mu.Lock()
	q.jobs = append(q.jobs, func() { done <- do() })
	q.mu.Unlock()
	q.cond.Signal()
	return <-done
}

// submitted is a pool of ants, which starts its workers one by one.
type submitted struct{ *ants.Pool }

func newAnts() worker {
	p, err := ants.NewPool(workers)
	if err != nil {
		panic(err)
	}
	return submitted{p}
}

func (s submitted) Do(do func() error) error {
	done := make(chan error, 1)
	if err := s.Submit(func() { done <- do() }); err != nil {
		return err
	}
	return <-done
}

// processed is a pool of tunny.
type processed struct{ *tunny.Pool }

func newTunny() worker {
	return processed{tunny.NewFunc(workers, func(do interface{}) interface{} {
		return do.(func() error)()
	})}
}

func (p processed) Do(do func() error) error {
	err, _ := p.Process(do).(error)
	return err
}

// dispatched has one goroutine start others for the work.
type dispatched chan func()

func newDispatched() worker {
	d := make(dispatched)
	go func() {
		for job := range d {
			go job()
		}
	}()
	return d
}

func (d dispatched) Do(do func() error) error {
	done := make(chan error, 1)
	d <- func() { done <- do() }
	return <-done
}

// crowds are pools that requests start together, by the number of the first of them.
var crowds sync.Map

const crowd = 16

// crowded has a pool that is new to work for some requests: workers find work and need not wait.
func crowded(_ context.Context, r request) error {
	n, err := strconv.Atoi(r.path[strings.LastIndex(r.path, "/")+1:])
	if err != nil {
		return err
	}
	p, _ := crowds.LoadOrStore(n/crowd, &growing{jobs: make(chan func(), 100)})
	return p.(worker).Do(func() error { return r.call(context.Background(), 0) })
}

// limitedGroup has more to call than goroutines to do so at a time.
func limitedGroup(_ context.Context, r request) error {
	var group errgroup.Group
	group.SetLimit(2)
	numbered := func(n int) func() error {
		return func() error { return r.call(context.Background(), n) }
	}
	for n := 0; n < 6; n++ {
		group.Go(numbered(n))
	}
	return group.Wait()
}

var flights singleflight.Group

func singleFlight(_ context.Context, r request) error {
	done := flights.DoChan(r.name(0), func() (interface{}, error) {
		return nil, r.call(context.Background(), 0)
	})
	return (<-done).Err
}

var permits = semaphore.NewWeighted(2)

// withSemaphore has goroutines wait for each other, and for those of other requests.
func withSemaphore(_ context.Context, r request) error {
	return pool.Each(3, func(n int) error {
		if err := permits.Acquire(context.Background(), 1); err != nil {
			return err
		}
		defer permits.Release(1)
		return r.call(context.Background(), n)
	})
}

// contextFirst makes a call with the context of its request, and one without, on a goroutine.
func contextFirst(ctx context.Context, r request) error {
	return pool.Each(1, func(int) error { return contextFirstHere(ctx, r) })
}

// contextLast does so in the other order.
func contextLast(ctx context.Context, r request) error {
	return pool.Each(1, func(int) error {
		if err := r.call(context.Background(), 0); err != nil {
			return err
		}
		return r.call(ctx, 1)
	})
}

func contextFirstHere(ctx context.Context, r request) error {
	if err := r.call(ctx, 0); err != nil {
		return err
	}
	return r.call(context.Background(), 1)
}

// frameworkContext begins with something else, and has the request's context further down, as those
// of frameworks do.
type frameworkContext struct {
	writer  fmt.Stringer
	request *frameworkRequest
}

type frameworkRequest struct {
	method string
	ctx    context.Context
}

func (*frameworkRequest) String() string { return "a request" }

func (c *frameworkContext) Deadline() (time.Time, bool)       { return c.request.ctx.Deadline() }
func (c *frameworkContext) Done() <-chan struct{}             { return c.request.ctx.Done() }
func (c *frameworkContext) Err() error                        { return c.request.ctx.Err() }
func (c *frameworkContext) Value(key interface{}) interface{} { return c.request.ctx.Value(key) }

func frameworkOf(ctx context.Context) context.Context {
	request := &frameworkRequest{http.MethodGet, ctx}
	return &frameworkContext{request, request}
}

// hiddenContext begins with a context of no request, and has the values of another one: as
// net.onlyValuesCtx.
type hiddenContext struct {
	context.Context
	values context.Context
}

func (c *hiddenContext) Value(key interface{}) interface{} { return c.values.Value(key) }

func hidden(ctx context.Context) context.Context {
	return &hiddenContext{context.Background(), ctx}
}
