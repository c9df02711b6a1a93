package load

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A turn allows one request, which is due at that time.
type turns interface {
	// next waits for a turn, and says whether there is one: not when ctx has
	// ended, or all requests have been sent.
	next(ctx context.Context) (due time.Time, ok bool)
}

// closed gives turns to whoever asks.
type closed struct {
	limit int64 // requests; 0: none
	taken atomic.Int64
}

func (c *closed) next(ctx context.Context) (time.Time, bool) {
	if ctx.Err() != nil || c.limit > 0 && c.taken.Add(1) > c.limit {
		return time.Time{}, false
	}
	return time.Now(), true
}

// open gives turns at a fixed rate.
type open struct {
	start    time.Time
	interval time.Duration
	duration time.Duration // 0: no end
	limit    int           // requests; 0: none
	pending  chan time.Time
	ended    time.Time // when pace returned
}

func newOpen(start time.Time, o Options) *open {
	return &open{
		start:    start,
		interval: time.Duration(float64(time.Second) / o.Rate),
		duration: o.Duration,
		limit:    o.Requests,
		pending:  make(chan time.Time),
	}
}

func (o *open) next(context.Context) (time.Time, bool) {
	due, ok := <-o.pending
	return due, ok
}

// pace hands out each turn at its time, until the last one or the end of ctx. A
// turn that nobody could take in time is handed out late, and never dropped.
func (o *open) pace(ctx context.Context) {
	defer func() {
		o.ended = time.Now()
		close(o.pending)
	}()
	for i := 0; o.limit == 0 || i < o.limit; i++ {
		due := o.start.Add(time.Duration(i) * o.interval)
		if o.duration > 0 && due.Sub(o.start) >= o.duration {
			return
		}
		sleepUntil(due)
		if ctx.Err() != nil {
			return
		}
		select {
		case o.pending <- due:
		case <-ctx.Done():
			return
		}
	}
}

// due is how many requests were due until pace returned.
func (o *open) due() int {
	d := o.ended.Sub(o.start)
	if o.duration > 0 {
		d = min(d, o.duration)
	}
	n := int((d + o.interval - 1) / o.interval)
	if o.limit > 0 {
		n = min(n, o.limit)
	}
	return n
}

// shortSleep is what is left to the kernel's own sleep: the runtime's timers
// round up to a millisecond when nothing else happens (netpoll in
// src/runtime/netpoll_epoll.go, Go 1.26), which is 20 requests at 20,000 a second.
const shortSleep = 2 * time.Millisecond

// sleepUntil returns at a time or a little after it, at once if it is over.
func sleepUntil(t time.Time) {
	d := time.Until(t)
	if d > shortSleep {
		time.Sleep(d - shortSleep)
		d = time.Until(t)
	}
	if d <= 0 {
		return
	}
	// An interrupted sleep gives a request that is early by less than that.
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil)
}
