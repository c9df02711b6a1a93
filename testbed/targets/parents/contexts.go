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
	return inPool(ctx, r)
}

// withoutCancel is what programs had before the context.WithoutCancel of Go 1.21.
var withoutCancel = func(ctx context.Context) context.Context { return detached{ctx} }

type detached struct{ context.Context }

func (detached) Deadline() (time.Time, bool) { return time.Time{}, false }
func (detached) Done() <-chan struct{}       { return nil }
func (detached) Err() error                  { return nil }

type valueKey int

func values(n int) func(context.Context) context.Context {
	return func(ctx context.Context) context.Context {
		for i := 0; i < n; i++ {
			ctx = context.WithValue(ctx, valueKey(i), i)
		}
		return ctx
	}
}

func pointerTo(ctx context.Context) context.Context { return &pointerContext{Context: ctx} }
func valueOf(ctx context.Context) context.Context   { return valueContext{Context: ctx} }
func otherOf(ctx context.Context) context.Context   { return &otherContext{"other", ctx} }

// mixed has one context of each kind around that of the request.
func mixed(ctx context.Context, r request) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx = context.WithValue(ctx, valueKey(100), "a value")
	ctx, cancelCause := context.WithCancelCause(ctx)
	defer cancelCause(nil)
	ctx, stop := context.WithDeadline(ctx, time.Now().Add(time.Minute))
	defer stop()
	ctx = context.WithValue(withoutCancel(ctx), valueKey(101), 1)
	return inPool(pointerTo(ctx), r)
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
		return inPool(c, r)
	}
	once := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return jobs.Do(func() error { return get(c, once, r.name(0)) })
}
