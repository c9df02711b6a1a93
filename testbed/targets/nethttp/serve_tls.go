//go:build tls

package main

import (
	"net"
	"net/http"

	"golang.org/x/net/http2"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

// serve has a server of net/http's that was configured.
func serve(listener net.Listener, handler http.Handler, _ bool) error {
	server := web.Server(handler)
	overTLS := web.OverTLS(server)
	if err := http2.ConfigureServer(server, &http2.Server{}); err != nil {
		return err
	}
	return overTLS(listener)
}
