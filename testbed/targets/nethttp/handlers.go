package main

import (
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"time"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/gate"
)

// hello answers with the last part of the path.
func hello(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "hello from %s\n", r.URL.Path)
}

// status answers with the code that the query names.
func status(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(number(r, "code"))
}

// number is one that the query has.
func number(r *http.Request, key string) int {
	n, err := strconv.Atoi(r.URL.Query().Get(key))
	if err != nil {
		panic(err)
	}
	return n
}

// mutate changes everything about its request.
func mutate(w http.ResponseWriter, r *http.Request) {
	r.Method = "CHANGED"
	r.URL = &url.URL{Path: "/changed", RawQuery: "changed=1"}
	r.RequestURI = "/changed"
	r.Host = "changed.example:1"
	r.RemoteAddr = "192.0.2.1:1"
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/9.9", 9, 9
	r.Header = http.Header{"Traceparent": {"changed"}, "User-Agent": {"changed"}}
	w.WriteHeader(http.StatusAccepted)
}

// panics does what its name says, after it has written what the query names.
func panics(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("code") != "" {
		status(w, r)
	}
	panic("as asked")
}

// recovers panics, and answers all the same.
func recovers(w http.ResponseWriter, _ *http.Request) {
	defer func() {
		if recover() != nil {
			w.WriteHeader(http.StatusBadGateway)
		}
	}()
	panic("to be recovered")
}

// hijack takes the connection over and answers by itself, after it has recovered
// from a panic.
func hijack(w http.ResponseWriter, _ *http.Request) {
	func() {
		defer func() { _ = recover() }()
		panic("to be recovered")
	}()
	connection, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer connection.Close()
	fmt.Fprint(connection, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

// garbage has its request collected, and others allocated in its place.
func garbage(w http.ResponseWriter, _ *http.Request) {
	runtime.GC()
	requests := make([]*http.Request, 1000)
	for i := range requests {
		requests[i] = &http.Request{RequestURI: "/other", Method: "OTHER"}
	}
	fmt.Fprintln(w, len(requests))
}

var gathered gate.Gate

// gather answers when as many requests as the query says have come.
func gather(_ http.ResponseWriter, r *http.Request) { gathered.Wait(number(r, "n")) }

// slow takes as long as the query says.
func slow(_ http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.URL.Query().Get("for"))
	if err != nil {
		panic(err)
	}
	time.Sleep(d)
}
