//go:build serves

package main

import (
	"net"
	"net/http"
	"plugin"
	"sync/atomic"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

func init() {
	address := ""
	var handler atomic.Value // the plugin's http.HandlerFunc, or that of none
	handler.Store(http.HandlerFunc(http.NotFound))
	serve := func(w http.ResponseWriter, r *http.Request) {
		handler.Load().(http.HandlerFunc)(w, r)
	}
	listen = func() string {
		address = web.Serve("tcp", web.Loopback, func(listener net.Listener) error {
			return http.Serve(listener, http.HandlerFunc(serve))
		})
		return address
	}
	use = func(loaded *plugin.Plugin) string {
		handler.Store(http.HandlerFunc(find(loaded, "Handler").(func() http.Handler)().ServeHTTP))
		return address
	}
}
