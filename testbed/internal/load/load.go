// Package load sends HTTP/1.1 requests over keep-alive connections and measures
// how long their answers take. It speaks the little of HTTP that it needs by
// itself, so that on a small machine the measured program gets the processors.
//
// There are two kinds of load. In a closed loop each connection sends its next
// request when the last one was answered, which finds the throughput. In an open
// loop requests are due at a fixed rate, and a latency counts from the moment at
// which the request was due: one that had to wait for those before it is as slow
// as it was for whoever made it (no coordinated omission).
package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Options say what is sent, and for how long: Duration or Requests bound it,
// whichever comes first.
type Options struct {
	URL         string        // http://host:port/path
	Method      string        // "" for GET; none with a body
	Header      http.Header   // beside Host
	Connections int           // at a time
	Rate        float64       // requests a second that are due, over all connections; 0 for a closed loop
	Duration    time.Duration // 0: until Requests are sent, or ctx ends
	Requests    int           // 0: until Duration is over, or ctx ends
}

// Result is what came of a load.
type Result struct {
	Due      int           // requests that were due before the end; in a closed loop, those sent
	Sent     int           // requests that were written to a connection: Answered + Failed
	Answered int           // those that got a whole answer
	Failed   int           // those that did not; whether they reached a handler is not known
	Statuses map[int]int   // answers by status code
	Refused  int           // attempts to connect that failed
	Elapsed  time.Duration // from the first request's time to the last answer
	Latency  Histogram     // of the answered, until the whole answer was read
	// Lag is how long after its time a request was written: the generator's own
	// delay, and that of connections that were all busy. Empty in a closed loop.
	Lag Histogram
	// FirstError is the first thing that went wrong with a connection.
	FirstError error
}

// Throughput is the rate of whole answers, in requests a second.
func (r *Result) Throughput() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Answered) / r.Elapsed.Seconds()
}

// Held is the share of the due requests that were sent.
func (r *Result) Held() float64 {
	if r.Due == 0 {
		return 1
	}
	return float64(r.Sent) / float64(r.Due)
}

// Run sends the load, and returns when the last answer is there. That ctx ended
// early is no error. Connections that break are opened again.
func Run(ctx context.Context, o Options) (*Result, error) {
	address, request, err := render(o)
	if err != nil {
		return nil, err
	}
	if o.Duration > 0 {
		bounded, cancel := context.WithTimeout(ctx, o.Duration)
		defer cancel()
		ctx = bounded
	}
	workers := make([]*worker, o.Connections)
	for i := range workers {
		workers[i] = &worker{address: address, request: request, statuses: map[int]int{}}
		// Before the clock starts, so that no request waits for it.
		if err := workers[i].connect(ctx); err != nil {
			for _, w := range workers[:i] {
				w.disconnect()
			}
			return nil, fmt.Errorf("connect to %s: %w", address, err)
		}
	}

	start := time.Now()
	var wg sync.WaitGroup
	var source turns
	var paced *open
	if o.Rate > 0 {
		paced = newOpen(start, o)
		wg.Go(func() { paced.pace(ctx) })
		source = paced
	} else {
		source = &closed{limit: int64(o.Requests)}
	}
	for _, w := range workers {
		wg.Go(func() { w.work(ctx, source) })
	}
	wg.Wait()

	result := &Result{Statuses: map[int]int{}}
	for _, w := range workers {
		w.addTo(result)
		result.Elapsed = max(result.Elapsed, w.lastAnswer.Sub(start))
	}
	result.Due = result.Sent
	if paced != nil {
		result.Due = max(result.Sent, paced.due())
		result.Elapsed = max(result.Elapsed, time.Duration(result.Due)*paced.interval)
	}
	return result, nil
}

// render checks the options, and writes the request that is sent every time.
func render(o Options) (address string, request []byte, err error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return "", nil, err
	case u.Scheme != "http" || u.Port() == "":
		return "", nil, fmt.Errorf("%q: want http://host:port/path", o.URL)
	case o.Connections < 1:
		return "", nil, errors.New("a load needs at least one connection")
	case o.Rate < 0 || o.Duration < 0 || o.Requests < 0:
		return "", nil, errors.New("a rate, a duration and a number of requests are not negative")
	case o.Method == http.MethodHead:
		return "", nil, errors.New("answers to HEAD are not understood")
	}
	method := o.Method
	if method == "" {
		method = http.MethodGet
	}
	r := &http.Request{Method: method, URL: u, Host: u.Host, Header: o.Header.Clone()}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", "spanprobe-load")
	}
	var b buffer
	if err := r.Write(&b); err != nil {
		return "", nil, err
	}
	return u.Host, b, nil
}

type buffer []byte

func (b *buffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}
