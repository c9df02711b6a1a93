//go:build serves

package main

import (
	"log"
	"net/http"
	"plugin"
	"sync/atomic"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

var (
	address string
	handler atomic.Pointer[http.Handler] // the plugin's; nil: not there yet
)

func listen() string {
	listener := web.Listen("tcp", web.Loopback)
	go func() {
		log.Fatal(http.Serve(listener, http.HandlerFunc(serve)))
	}()
	address = listener.Addr().String()
	return address
}

func serve(w http.ResponseWriter, r *http.Request) {
	if h := handler.Load(); h != nil {
		(*h).ServeHTTP(w, r)
	} else {
		http.NotFound(w, r)
	}
}

func use(loaded *plugin.Plugin) string {
	h := find(loaded, "Handler").(func() http.Handler)()
	handler.Store(&h)
	return address
}
