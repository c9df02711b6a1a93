// Command library is a plugin that handles HTTP, or serves it. With the tag "c" it is a library for
// programs in C, that serves HTTP.
package main

import (
	"fmt"
	"net"
	"net/http"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

// Handler is one for somebody else's server.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello from", r.URL.Path)
	})
	return mux
}

// Serve serves HTTP, and says where.
func Serve() string {
	return web.Serve("tcp", web.Loopback, func(listener net.Listener) error {
		return http.Serve(listener, Handler())
	})
}

func main() {}
