// Package load sends HTTP requests over connections that stay open, and measures
// how long their answers take. It does not use net/http's client for HTTP/1.1, whose
// goroutines would take processors from the measured program on a small machine;
// for HTTP/2 it does.
//
// There are two kinds of load. In a closed loop each connection (of HTTP/2: each
// stream) sends its next request when the last one was answered, which finds the
// throughput. In an open loop requests are due at a fixed rate, and a latency
// counts from the moment at which the request was due: one that had to wait for
// those before it is as slow as it was for whoever made it (no coordinated
// omission).
package load

import (
	"bytes"
	"cmp"
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
	URL         string        // http://host:port/path; with HTTP/2 also https
	HTTP2       bool          // from the first byte on; else HTTP/1.1
	Method      string        // "" for GET; none with a body
	Header      http.Header   // beside Host
	Connections int           // at a time
	Streams     int           // at a time on each connection, of HTTP/2; 0 for one
	Rate        float64       // requests a second that are due, over all; 0 for a closed loop
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

	lastAnswer time.Time
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

// add adds what came of a part of the load.
func (r *Result) add(part *Result) {
	r.Sent += part.Sent
	r.Answered += part.Answered
	r.Failed += part.Failed
	r.Refused += part.Refused
	for status, n := range part.Statuses {
		r.Statuses[status] += n
	}
	r.Latency.Merge(&part.Latency)
	r.Lag.Merge(&part.Lag)
	r.FirstError = cmp.Or(r.FirstError, part.FirstError)
	if part.lastAnswer.After(r.lastAnswer) {
		r.lastAnswer = part.lastAnswer
	}
}

// Run sends the load, and returns when the last answer is there. That ctx ended
// early is no error. Connections that break are opened again.
func Run(ctx context.Context, o Options) (*Result, error) {
	clients, err := o.clients()
	if err != nil {
		return nil, err
	}
	if o.Duration > 0 {
		bounded, cancel := context.WithTimeout(ctx, o.Duration)
		defer cancel()
		ctx = bounded
	}
	workers := make([]*worker, len(clients))
	for i, c := range clients {
		workers[i] = &worker{client: c, Result: Result{Statuses: map[int]int{}}}
		// Not before all are done: some may share a connection.
		defer c.disconnect()
	}
	for _, w := range workers {
		// Before the clock starts, so that no request waits for it.
		if err := w.connect(ctx); err != nil {
			return nil, fmt.Errorf("connect to %s: %w", o.URL, err)
		}
	}

	start := time.Now()
	turns := newSchedule(start, o)
	var wg sync.WaitGroup
	if o.Rate > 0 {
		wg.Go(func() { turns.pace(ctx) })
	}
	for _, w := range workers {
		wg.Go(func() { w.work(ctx, turns) })
	}
	wg.Wait()

	result := &Result{Statuses: map[int]int{}, lastAnswer: start}
	for _, w := range workers {
		result.add(&w.Result)
	}
	result.Elapsed = result.lastAnswer.Sub(start)
	result.Due = result.Sent
	if o.Rate > 0 {
		result.Due = max(result.Sent, turns.due())
		result.Elapsed = max(result.Elapsed, time.Duration(result.Due)*turns.interval)
	}
	return result, nil
}

// clients checks the options, and makes what sends the requests.
func (o Options) clients() ([]client, error) {
	request, err := o.request()
	if err != nil {
		return nil, err
	}
	if !o.HTTP2 {
		var text bytes.Buffer
		if err := request.Write(&text); err != nil {
			return nil, err
		}
		clients := make([]client, o.Connections)
		for i := range clients {
			clients[i] = &http1{address: request.Host, request: text.Bytes()}
		}
		return clients, nil
	}
	transport := http2Transport()
	clients := make([]client, 0, o.Connections*max(o.Streams, 1))
	for range o.Connections {
		shared := &http2Connection{transport: transport, url: request.URL}
		for range max(o.Streams, 1) {
			clients = append(clients, &http2{shared: shared, request: request})
		}
	}
	return clients, nil
}

// request is the one that is sent every time.
func (o Options) request() (*http.Request, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "http" && (u.Scheme != "https" || !o.HTTP2) || u.Port() == "":
		return nil, fmt.Errorf("%q: want http://host:port/path, or https with HTTP/2", o.URL)
	case o.Connections < 1 || o.Streams < 0:
		return nil, errors.New("a load needs at least one connection")
	case o.Streams > 1 && !o.HTTP2:
		return nil, errors.New("a connection of HTTP/1.1 has no streams")
	case o.Rate < 0 || o.Duration < 0 || o.Requests < 0:
		return nil, errors.New("a rate, a duration and a number of requests are not negative")
	case o.Method == http.MethodHead:
		return nil, errors.New("answers to HEAD are not understood")
	}
	method := cmp.Or(o.Method, http.MethodGet)
	r := &http.Request{Method: method, URL: u, Host: u.Host, Header: o.Header.Clone()}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", "spanprobe-load")
	}
	return r, nil
}
