package main

import (
	"context"
	"net/http"
	"sync"
	"time"
)

func withTimeout(ctx context.Context, r request) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return r.inPool(ctx, jobs)
}

type valueKey int

func values(ctx context.Context, n int) context.Context {
	for i := 0; i < n; i++ {
		ctx = context.WithValue(ctx, valueKey(i), i)
	}
	return ctx
}

func tenValues(ctx context.Context) context.Context    { return values(ctx, 10) }
func thirtyValues(ctx context.Context) context.Context { return values(ctx, 30) }
func pointerTo(ctx context.Context) context.Context    { return &pointerContext{Context: ctx} }
func valueOf(ctx context.Context) context.Context      { return valueContext{Context: ctx} }
func otherOf(ctx context.Context) context.Context      { return &otherContext{"other", ctx} }

// mixed has one context of each kind around that of the request.
func mixed(ctx context.Context, r request) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx = context.WithValue(ctx, valueKey(100), "a value")
	ctx, cancelCause := context.WithCancelCause(ctx)
	defer cancelCause(nil)
	ctx, stop := context.WithDeadline(ctx, time.Now().Add(time.Minute))
	defer stop()
	return r.inPool(&pointerContext{Context: context.WithValue(withoutCancel(ctx), valueKey(101),
		1)}, jobs)
}

// pointerContext is a context as frameworks have their own.
type pointerContext struct {
	context.Context
	parameters map[string]string
}

func (c *pointerContext) Value(key interface{}) interface{} {
	if name, ok := key.(string); ok {
		return c.parameters[name]
	}
	return c.Context.Value(key)
}

// valueContext is one that is no pointer.
type valueContext struct {
	context.Context
	_ [4]int
}

// otherContext has the context that it is about in a field of its own.
type otherContext struct {
	name  string
	under context.Context
}

func (c *otherContext) Deadline() (time.Time, bool)       { return c.under.Deadline() }
func (c *otherContext) Done() <-chan struct{}             { return c.under.Done() }
func (c *otherContext) Err() error                        { return c.under.Err() }
func (c *otherContext) Value(key interface{}) interface{} { return c.under.Value(key) }
func (c *otherContext) String() string                    { return c.name }

var pointers = sync.Pool{New: func() interface{} { return new(pointerContext) }}

// recycled has a context of which the next request makes its own. Its call has a connection of its
// own: one that is established for later could look at the context when that is another's.
func recycled(ctx context.Context, r request) error {
	c := pointers.Get().(*pointerContext)
	c.Context = ctx
	defer pointers.Put(c)
	if r.via == "grpc" {
		return r.inPool(c, jobs)
	}
	return jobs.Do(c, func(ctx context.Context) error {
		once := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		return get(ctx, once, r.name(0))
	})
}
