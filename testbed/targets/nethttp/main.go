// Command target is a plain net/http server that tests trace. It knows nothing
// of tracing, and is built with each Go that is supported.
//
// It prints the address it listens on, and then, for each line on its standard
// input, how many requests have reached a handler. It ends when that is closed.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

var served int64 // added to atomically

func main() {
	address := flag.String("listen", "127.0.0.1:0", "address to listen on")
	certificate := flag.String("cert", "", "certificate file: serve TLS")
	key := flag.String("key", "", "key file of the certificate")
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	routes(mux)
	server := &http.Server{Handler: counted(copied(mux)), MaxHeaderBytes: 4 << 20, ErrorLog: log.New(io.Discard, "", 0)}
	if *certificate == "" {
		withoutTLS(server)
	}
	go func() {
		if *certificate != "" {
			log.Fatal(server.ServeTLS(listener, *certificate, *key))
		}
		log.Fatal(server.Serve(listener))
	}()
	fmt.Println(listener.Addr())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(atomic.LoadInt64(&served))
	}
}

func counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		atomic.AddInt64(&served, 1)
		next.ServeHTTP(w, r)
	})
}

// copied hands on a copy of the request, of the kind that its X-Copy header names.
func copied(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("X-Copy") {
		case "context":
			r = r.WithContext(context.WithValue(r.Context(), copyKey{}, true))
		case "clone":
			r = r.Clone(context.WithValue(r.Context(), copyKey{}, true))
		}
		next.ServeHTTP(w, r)
	})
}

type copyKey struct{}

// hello answers with the last part of the path.
func hello(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "hello from %s\n", r.URL.Path)
}

// status answers with the code that the query names.
func status(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.URL.Query().Get("code"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(code)
}

// nothing writes nothing, not even a header.
func nothing(http.ResponseWriter, *http.Request) {}

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

// aborts ends the request as net/http's documentation says.
func aborts(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// exits ends the goroutine.
func exits(http.ResponseWriter, *http.Request) { runtime.Goexit() }

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

var gathered = struct {
	sync.Mutex
	n    int64
	full chan struct{}
}{full: make(chan struct{})}

// gather answers when as many requests as the query says have come.
func gather(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.URL.Query().Get("n"), 10, 64)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	gathered.Lock()
	gathered.n++
	full := gathered.full
	if gathered.n >= n {
		gathered.n, gathered.full = 0, make(chan struct{})
		close(full)
	}
	gathered.Unlock()
	<-full
}

// slow takes as long as the query says.
func slow(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.URL.Query().Get("for"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	time.Sleep(d)
}
