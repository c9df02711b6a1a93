package main

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/server/program"
)

// result is what came of a load.
type result struct {
	Due      int // calls that were due before the end; in a closed loop, those made
	Sent     int
	Answered int
	Elapsed  time.Duration // until the last answer
	P50, P99 time.Duration // latency; at a rate, from the time at which a call was due
	LagP99   time.Duration // at a rate: from then until it was made
	Error    string        // of the first call that failed
}

// worker makes calls, one after the other.
type worker struct {
	latency, lags []time.Duration
	err           error
	end           time.Time
}

// load makes calls from as many goroutines as there are connections. At a rate, each has a fixed
// share of the times at which calls are due: one that is late does not move those that follow.
func load(o program.Order, call func(context.Context) error) result {
	number := *connections
	if o.Calls > 0 {
		number = min(number, o.Calls)
	}
	workers := make([]worker, number)
	start := time.Now()
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() { workers[i].work(o, i, number, start, call) })
	}
	wg.Wait()
	var r result
	var latency, lags []time.Duration
	for _, w := range workers {
		latency, lags = append(latency, w.latency...), append(lags, w.lags...)
		r.Elapsed = max(r.Elapsed, w.end.Sub(start))
		if w.err != nil && r.Error == "" {
			r.Error = w.err.Error()
		}
	}
	r.Due, r.Sent, r.Answered = len(lags), len(lags), len(latency)
	if o.Rate > 0 {
		r.Due = int(math.Ceil(o.Rate * o.Duration.Seconds()))
		r.LagP99 = quantile(lags, 0.99)
	}
	r.P50, r.P99 = quantile(latency, 0.5), quantile(latency, 0.99)
	return r
}

// work is what the i-th of so many workers does.
func (w *worker) work(
	o program.Order, i, of int, start time.Time, call func(context.Context) error,
) {
	for n := i; ; n += of {
		due := time.Now()
		if o.Rate > 0 {
			due = start.Add(time.Duration(float64(n) / o.Rate * float64(time.Second)))
			if due.Sub(start) >= o.Duration {
				return
			}
			time.Sleep(time.Until(due))
		}
		sent := time.Now()
		if o.Calls > 0 && n >= o.Calls || o.Calls == 0 && sent.Sub(start) >= o.Duration {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
		err := call(ctx)
		cancel()
		w.end = time.Now()
		w.lags = append(w.lags, sent.Sub(due))
		if err != nil {
			w.err = err
			continue
		}
		w.latency = append(w.latency, w.end.Sub(due))
	}
}

// quantile is that of values, which it sorts.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(int(q*float64(len(values))), len(values)-1)]
}
