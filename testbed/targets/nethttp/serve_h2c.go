//go:build h2c

package main

import (
	"net"
	"net/http"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c" //nolint:staticcheck // deprecated, and in use

	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

// serve has a handler that takes connections over that speak HTTP/2.
func serve(listener net.Listener, handler http.Handler, _ bool) error {
	//nolint:staticcheck // as above
	return web.Server(h2c.NewHandler(handler, &http2.Server{})).Serve(listener)
}
