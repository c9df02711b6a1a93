//go:build !go1.21

package main

import (
	"context"
	"time"
)

// withoutCancel is what programs had before context.WithoutCancel.
func withoutCancel(ctx context.Context) context.Context { return detached{ctx} }

type detached struct{ context.Context }

func (detached) Deadline() (time.Time, bool) { return time.Time{}, false }
func (detached) Done() <-chan struct{}       { return nil }
func (detached) Err() error                  { return nil }
