package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func run(t *testing.T, h HTTP, o Options) Result {
	t.Helper()
	result, err := h.Run(t.Context(), o)
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
	result := run(t, HTTP{URL: url + "/hello", Connections: 4}, Options{Requests: 1001})
	if served.Load() != 1001 || result.Sent != 1001 || result.Answered != 1001 ||
		result.Due != 1001 {
		t.Errorf("1001 requests: the server saw %d, %+v", served.Load(), result)
	}
	if result.P50 <= 0 || result.P99 < result.P50 || result.Elapsed <= 0 || result.Error != "" {
		t.Errorf("each answer is recorded: %+v", result)
	}
}

func TestTheRequestIsTheOneThatWasAskedFor(t *testing.T) {
	var got atomic.Pointer[http.Request]
	url, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) { got.Store(r) })
	run(t, HTTP{URL: url + "/hello/bob?a=b", Connections: 1}, Options{Requests: 1})
	r := got.Load()
	if r.Method != http.MethodGet || r.RequestURI != "/hello/bob?a=b" || "http://"+r.Host != url {
		t.Errorf("got %s %s for %s", r.Method, r.RequestURI, r.Host)
	}
}

func TestAnAnswerThatIsNot200IsARequestThatFailed(t *testing.T) {
	url, _ := serve(t, http.NotFound)
	for _, streams := range []int{0, 2} {
		h := HTTP{URL: url + "/", Connections: 1, Streams: streams}
		result := run(t, h, Options{Requests: 3})
		if result.Sent != 3 || result.Answered != 0 || result.Error != "404 Not Found" {
			t.Errorf("%d streams: %+v", streams, result)
		}
	}
}

func TestAnOpenLoopHoldsItsRate(t *testing.T) {
	url, served := serve(t, hello)
	result := run(t, HTTP{URL: url + "/", Connections: 8},
		Options{Rate: 500, Duration: time.Second})
	if result.Due != 500 || result.Sent < 475 || int(served.Load()) != result.Sent {
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
	result := run(t, HTTP{URL: url + "/", Connections: 1},
		Options{Rate: 100, Duration: time.Second})
	if result.P99 < pause*2/3 || result.LagP99 < pause*2/3 {
		t.Errorf("30 of 100 requests were due within a pause of %v, and 99 were sent within %v "+
			"and answered within %v", pause, result.LagP99, result.P99)
	}
}

func TestRequestsThatAnOverloadedServerKeepsFromBeingSentAreDue(t *testing.T) {
	url, served := serve(t, func(http.ResponseWriter, *http.Request) {
		time.Sleep(50 * time.Millisecond)
	})
	result := run(t, HTTP{URL: url + "/", Connections: 1},
		Options{Rate: 100, Duration: 500 * time.Millisecond})
	if result.Due != 50 || result.Sent > 12 || result.Sent != int(served.Load()) {
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
	result := run(t, HTTP{URL: url + "/", Connections: 1}, Options{Requests: 100})
	if result.Sent != 100 || result.Answered != 90 || served.Load() != 100 ||
		result.Error == "" {
		t.Errorf("each tenth of 100 requests is cut off: the server saw %d, %+v", served.Load(),
			result)
	}
}

func TestALoadEndsWithItsContext(t *testing.T) {
	url, _ := serve(t, hello)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	for _, rate := range []float64{0, 100} {
		h := HTTP{URL: url + "/", Connections: 2}
		if _, err := h.Run(ctx, Options{Rate: rate}); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}
}

func TestALoadThatCannotBeSentIsAnError(t *testing.T) {
	for _, h := range []HTTP{
		{URL: "http://127.0.0.1:1/", Connections: 1},
		{URL: "https://127.0.0.1:443/", Connections: 1},
		{URL: "http://127.0.0.1/", Connections: 1},
		{URL: "http://127.0.0.1:80/", Connections: 0},
		{URL: "http://127.0.0.1:1/", Connections: 1, Streams: 1},
	} {
		if result, err := h.Run(t.Context(), Options{}); err == nil {
			t.Errorf("%+v: %+v", h, result)
		}
	}
}

func TestAQuantileIsTheDurationThatSoManyDoNotExceed(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var all []time.Duration
	for i := range 1000 {
		all = append(all, time.Duration(i+1))
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 500, 0.99: 990, 1: 1000} {
		if got := quantile(all, q); got != want {
			t.Errorf("quantile %v: %d, want %d", q, got, want)
		}
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("the median of nothing is %v", got)
	}
}
