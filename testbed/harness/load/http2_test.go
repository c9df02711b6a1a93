package load

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestALoadOfHTTP2SharesItsConnectionsAmongStreams(t *testing.T) {
	var protocols, peers sync.Map
	var inFlight, most atomic.Int64
	url, served := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		protocols.Store(r.Proto, nil)
		peers.Store(r.RemoteAddr, nil)
		now := inFlight.Add(1)
		for seen := most.Load(); now > seen &&
			!most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		time.Sleep(time.Millisecond)
		inFlight.Add(-1)
	})
	h := HTTP{URL: url + "/hello", Connections: 2, Streams: 3}
	result := run(t, h, Options{Requests: 300})
	if served.Load() != 300 || result.Sent != 300 || result.Answered != 300 {
		t.Errorf("300 requests: the server saw %d, %+v", served.Load(), result)
	}
	if _, ok := protocols.Load("HTTP/2.0"); !ok || size(&protocols) != 1 ||
		size(&peers) != 2 {
		t.Errorf(
			"%d protocols over %d connections, HTTP/2 among them: %v; want it alone, over 2",
			size(&protocols),
			size(&peers),
			ok,
		)
	}
	if most.Load() < 3 || most.Load() > 6 {
		t.Errorf("at most %d requests at a time, of 2 connections with 3 streams each",
			most.Load())
	}
}

func TestAnOpenLoopOfHTTP2HoldsItsRateAndCountsFromTheTimeARequestWasDue(t *testing.T) {
	const pause = 300 * time.Millisecond
	var first atomic.Bool
	url, served := serve(t, func(http.ResponseWriter, *http.Request) {
		if first.CompareAndSwap(false, true) {
			time.Sleep(pause)
		}
	})
	// One stream: the requests that are due while it waits are all late.
	result := run(t, HTTP{URL: url + "/", Connections: 1, Streams: 1},
		Options{Rate: 100, Duration: time.Second})
	if result.Due != 100 || result.Sent < 95 || int(served.Load()) != result.Sent {
		t.Errorf("100 requests a second for a second: due %d, sent %d, the server saw %d",
			result.Due, result.Sent, served.Load())
	}
	if result.P99 < pause*2/3 {
		t.Errorf("30 of 100 requests were due within a pause of %v, and 99 were answered within %v",
			pause, result.P99)
	}
}

func TestABrokenStreamIsARequestThatFailedAndABrokenConnectionIsOpenedAgain(t *testing.T) {
	var n atomic.Int64
	var peers sync.Map
	url, served := serve(t, func(w http.ResponseWriter, r *http.Request) {
		peers.Store(r.RemoteAddr, nil)
		switch n.Add(1) % 10 {
		case 0:
			panic(http.ErrAbortHandler) // RST_STREAM
		case 5:
			w.Header().Set("Connection", "close") // GOAWAY
		}
	})
	result := run(t, HTTP{URL: url + "/", Connections: 1, Streams: 1}, Options{Requests: 100})
	if result.Sent != 100 || result.Answered != 90 || served.Load() != 100 ||
		result.Error == "" {
		t.Errorf("each tenth of 100 requests is cut off: the server saw %d, %+v", served.Load(),
			result)
	}
	if got := size(&peers); got != 11 {
		t.Errorf("%d connections, where one was closed 10 times", got)
	}
}

func size(m *sync.Map) (n int) {
	m.Range(func(any, any) bool { n++; return true })
	return n
}
