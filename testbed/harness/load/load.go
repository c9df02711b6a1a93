// Package load makes requests, and measures how long they take.
//
// There are two kinds of load. In a closed loop each client makes its next request when the last
// one was answered, which finds the throughput. In an open loop requests are due at a fixed rate,
// and a latency counts from the moment at which the request was due: one that had to wait for
// those before it is as slow as it was for whoever made it (no coordinated omission).
package load

import (
	"context"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Options say how much is asked for: Duration or Requests bound it, whichever comes first.
type Options struct {
	Rate     float64       // requests a second that are due, over all; 0 for a closed loop
	Duration time.Duration // 0: until Requests are sent, or the context ends
	Requests int           // 0: until Duration is over, or the context ends
}

// Result is what came of a load.
type Result struct {
	Due      int           // requests that were due before the end; in a closed loop, those sent
	Sent     int           // those that were tried
	Answered int           // those that got a whole answer
	Elapsed  time.Duration // until the last answer
	P50, P99 time.Duration // latency of the answered
	// LagP99 is how long after its time a request was sent: the delay of whoever made it, and that
	// of clients that were all busy. 0 in a closed loop.
	LagP99 time.Duration
	Error  string // of the first request that failed
}

// Client makes a request, and reads the whole answer.
type Client func() error

// failurePause keeps a server that is away from being asked all the time.
const failurePause = 10 * time.Millisecond

// Run has clients make requests, each one after the other. It returns when the last answer is
// there. That ctx ended early is no error.
func Run(ctx context.Context, o Options, clients []Client) (Result, error) {
	if o.Duration > 0 {
		bounded, cancel := context.WithTimeout(ctx, o.Duration)
		defer cancel()
		ctx = bounded
	}
	turns := &turns{Options: o, start: time.Now()}
	workers := make([]worker, len(clients))
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() { workers[i].work(ctx, turns, clients[i]) })
	}
	all.Wait()

	var r Result
	var latencies, lags []time.Duration
	for _, w := range workers {
		if w.err != nil {
			return r, w.err
		}
		latencies, lags = append(latencies, w.latencies...), append(lags, w.lags...)
		r.Elapsed = max(r.Elapsed, w.last.Sub(turns.start))
		if r.Error == "" && w.failure != nil {
			r.Error = w.failure.Error()
		}
	}
	r.Sent, r.Answered = len(lags), len(latencies)
	r.P50, r.P99 = quantile(latencies, 0.5), quantile(latencies, 0.99)
	r.LagP99 = quantile(lags, 0.99)
	r.Due = max(r.Sent, turns.due(time.Since(turns.start)))
	return r, nil
}

// quantile is that of values, which it sorts: 0 of none.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[max(int(math.Ceil(q*float64(len(values)))), 1)-1]
}

// turns allow one request each, and go to whoever is free. One that nobody could take in time is
// taken late, and never dropped.
type turns struct {
	Options
	start time.Time
	taken atomic.Int64
}

// next is when the next request is due: at once in a closed loop. It is false if there is none.
func (t *turns) next() (due time.Time, ok bool) {
	n := t.taken.Add(1) - 1
	due = time.Now()
	if t.Rate > 0 {
		after := time.Duration(float64(n) / t.Rate * float64(time.Second))
		if t.Duration > 0 && after >= t.Duration {
			return due, false
		}
		due = t.start.Add(after)
	}
	return due, t.Requests == 0 || n < int64(t.Requests)
}

// due is how many requests are due within a time, in an open loop.
func (t *turns) due(within time.Duration) int {
	if t.Duration > 0 {
		within = min(within, t.Duration)
	}
	due := int(math.Ceil(t.Rate * within.Seconds()))
	if t.Requests > 0 {
		due = min(due, t.Requests)
	}
	return due
}

// worker makes requests, one after the other.
type worker struct {
	latencies, lags []time.Duration
	last            time.Time // of the answers
	failure         error     // of the first request that failed
	err             error     // that ended the work
}

// work takes turns until there are no more.
func (w *worker) work(ctx context.Context, turns *turns, client Client) {
	// A timer of the kernel's: the runtime's own round up to a millisecond when nothing else
	// happens (netpoll in src/runtime/netpoll_epoll.go, Go 1.26).
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		w.err = err
		return
	}
	timer := os.NewFile(uintptr(fd), "timer")
	defer timer.Close()
	defer context.AfterFunc(ctx, func() { _ = timer.SetReadDeadline(time.Now()) })()
	for {
		due, ok := turns.next()
		if !ok {
			return
		}
		if wait := time.Until(due); wait > 0 {
			at := &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(wait))}
			if w.err = unix.TimerfdSettime(fd, 0, at, nil); w.err != nil {
				return
			}
			_, _ = timer.Read(make([]byte, 8)) // fails when ctx ends
		}
		if ctx.Err() != nil {
			return
		}
		sent := time.Now()
		err := client()
		answered := time.Now()
		w.lags = append(w.lags, sent.Sub(due))
		if err == nil {
			w.last, w.latencies = answered, append(w.latencies, answered.Sub(due))
			continue
		}
		if w.failure == nil {
			w.failure = err
		}
		time.Sleep(failurePause)
	}
}
