package load

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func run(t *testing.T, o Options) *Result {
	t.Helper()
	result, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// serve counts the requests that reach a handler.
func serve(t *testing.T, handler http.HandlerFunc) (url string, served *atomic.Int64) {
	server, served := counting(t, handler)
	server.Config.Protocols = &http.Protocols{}
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	return server.URL, served
}

// serveTLS is serve over TLS, for HTTP/1.1 and HTTP/2.
func serveTLS(t *testing.T, handler http.HandlerFunc) (url string, served *atomic.Int64) {
	server, served := counting(t, handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	return server.URL, served
}

func counting(
	t *testing.T, handler http.HandlerFunc,
) (server *httptest.Server, served *atomic.Int64) {
	served = &atomic.Int64{}
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request,
	) {
		served.Add(1)
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	return server, served
}

func hello(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") }

func TestAClosedLoopSendsExactlyTheRequestsThatWereAskedFor(t *testing.T) {
	url, served := serve(t, hello)
	result := run(t, Options{URL: url + "/hello", Connections: 4, Requests: 1001})
	if served.Load() != 1001 || result.Sent != 1001 || result.Answered != 1001 ||
		result.Due != 1001 {
		t.Errorf("1001 requests: the server saw %d, %+v", served.Load(), result)
	}
	if result.Statuses[200] != 1001 || result.Latency.Count() != 1001 || result.Throughput() <= 0 {
		t.Errorf("each answer is recorded: %+v", result)
	}
}

func TestTheRequestIsTheOneThatWasAskedFor(t *testing.T) {
	var got atomic.Pointer[http.Request]
	url, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) { got.Store(r) })
	run(t, Options{
		URL: url + "/hello/bob?a=b", Method: "DELETE",
		Header: http.Header{"Traceparent": {"00-1-2-01"}}, Connections: 1, Requests: 1,
	})
	r := got.Load()
	if r.Method != http.MethodDelete || r.RequestURI != "/hello/bob?a=b" ||
		r.Header.Get("Traceparent") != "00-1-2-01" || "http://"+r.Host != url {
		t.Errorf("got %s %s for %s with %v", r.Method, r.RequestURI, r.Host, r.Header)
	}
}

func TestAnOpenLoopHoldsItsRate(t *testing.T) {
	url, served := serve(t, hello)
	result := run(t, Options{URL: url + "/", Connections: 8, Rate: 500, Duration: time.Second})
	if result.Due != 500 || result.Held() < 0.95 || int(served.Load()) != result.Sent {
		t.Errorf("500 requests a second for a second: due %d, sent %d, the server saw %d",
			result.Due, result.Sent, served.Load())
	}
}

func TestTheLatencyOfADelayedRequestCountsFromItsTime(t *testing.T) {
	const pause = 300 * time.Millisecond
	var first atomic.Bool
	url, _ := serve(t, func(http.ResponseWriter, *http.Request) {
		if first.CompareAndSwap(false, true) {
			time.Sleep(pause)
		}
	})
	// One connection: the requests that are due while it waits are all late.
	result := run(t, Options{URL: url + "/", Connections: 1, Rate: 100, Duration: time.Second})
	if got := result.Latency.Quantile(0.85); got < pause/3 {
		t.Errorf("30 of 100 requests were due within a pause of %v, and 85 were answered within %v",
			pause, got)
	}
	if result.Lag.Max() < pause/2 {
		t.Errorf("the longest lag is %v after a pause of %v", result.Lag.Max(), pause)
	}
}

func TestRequestsThatAnOverloadedServerKeepsFromBeingSentAreDue(t *testing.T) {
	url, served := serve(t, func(http.ResponseWriter, *http.Request) {
		time.Sleep(50 * time.Millisecond)
	})
	result := run(t, Options{
		URL: url + "/", Connections: 1, Rate: 100,
		Duration: 500 * time.Millisecond,
	})
	if result.Due != 50 || result.Sent > 12 || result.Sent != int(served.Load()) ||
		result.Held() > 0.25 {
		t.Errorf("at most 11 of 50 can be sent: due %d, sent %d, the server saw %d", result.Due,
			result.Sent, served.Load())
	}
}

func TestBrokenConnectionsAreOpenedAgainAndTheirRequestsCounted(t *testing.T) {
	var n atomic.Int64
	url, served := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) % 10 {
		case 0:
			panic(http.ErrAbortHandler)
		case 5:
			w.Header().Set("Connection", "close")
		}
	})
	result := run(t, Options{URL: url + "/", Connections: 1, Requests: 100})
	if result.Sent != 100 || result.Answered != 90 || result.Failed != 10 || served.Load() != 100 ||
		result.FirstError == nil {
		t.Errorf("each tenth of 100 requests is cut off: the server saw %d, %+v", served.Load(),
			result)
	}
}

func TestALoadEndsWithItsContext(t *testing.T) {
	url, _ := serve(t, hello)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	for _, rate := range []float64{0, 100} {
		if _, err := Run(ctx, Options{URL: url + "/", Connections: 2, Rate: rate}); err != nil &&
			ctx.Err() == nil {
			t.Error(err)
		}
	}
}

func TestALoadThatCannotBeSentIsAnError(t *testing.T) {
	for _, o := range []Options{
		{URL: "http://127.0.0.1:1/", Connections: 1},
		{URL: "https://127.0.0.1:443/", Connections: 1},
		{URL: "http://127.0.0.1/", Connections: 1},
		{URL: "http://127.0.0.1:80/", Connections: 0},
		{URL: "http://127.0.0.1:80/", Connections: 1, Rate: -1},
		{URL: "http://127.0.0.1:80/", Connections: 1, Method: "HEAD"},
		{URL: "http://127.0.0.1:80/", Connections: 1, Streams: 2},
		{URL: "http://127.0.0.1:1/", Connections: 1, HTTP2: true},
	} {
		if result, err := Run(t.Context(), o); err == nil {
			t.Errorf("%+v: %+v", o, result)
		}
	}
}
