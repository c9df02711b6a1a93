// Command target is a plain net/http server that tests trace. It knows nothing
// of tracing, and is built with each Go that is supported.
//
// It prints the address it listens on, and then, for each line on its standard
// input, how many requests have reached a handler. It ends when that is closed.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

var served atomic.Int64

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
	server := &http.Server{Handler: counted(mux), MaxHeaderBytes: 4 << 20, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		if *certificate != "" {
			log.Fatal(server.ServeTLS(listener, *certificate, *key))
		}
		log.Fatal(server.Serve(listener))
	}()
	fmt.Println(listener.Addr())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(served.Load())
	}
}

func counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		next.ServeHTTP(w, r)
	})
}

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

// panics does what its name says.
func panics(http.ResponseWriter, *http.Request) { panic("as asked") }

// hijack takes the connection over and answers by itself.
func hijack(w http.ResponseWriter, _ *http.Request) {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer connection.Close()
	fmt.Fprint(connection, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
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
