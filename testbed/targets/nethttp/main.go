// Command nethttp is a server that tests trace. It serves with net/http, or with
// golang.org/x/net/http2 in one of the ways in which programs use that: a build tag says which, and
// the linker leaves out what the others need. It is built with each Go that is supported.
//
// It says the address that it listens on, and answers each line with how many requests have reached
// a handler.
package main

import (
	"flag"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/lines"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

var served int64 // added to atomically

func main() {
	address := flag.String("listen", web.Loopback, "address to listen on")
	secure := flag.Bool("tls", false, "serve TLS, with a certificate of its own")
	flag.Parse()
	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		atomic.AddInt64(&served, 1)
		handler.ServeHTTP(w, r)
	})
	serving := func(l net.Listener) error { return serve(l, counted, *secure) }
	lines.Serve(web.Serve("tcp", *address, serving), func(string) interface{} {
		return atomic.LoadInt64(&served)
	})
}
