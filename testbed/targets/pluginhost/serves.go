//go:build serves

package main

import (
	"log"
	"net"
	"net/http"
	"plugin"
	"sync/atomic"
)

var (
	address string
	handler atomic.Pointer[http.Handler] // the plugin's; nil: not there yet
)

func listen() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		log.Fatal(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := handler.Load()
			if h == nil {
				http.NotFound(w, r)
				return
			}
			(*h).ServeHTTP(w, r)
		})))
	}()
	address = listener.Addr().String()
	return address
}

func use(loaded *plugin.Plugin) string {
	h := find(loaded, "Handler").(func() http.Handler)()
	handler.Store(&h)
	return address
}
