//go:build direct

package main

import (
	"net"
	"net/http"

	"golang.org/x/net/http2"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

// serve serves connections without a server of net/http's.
func serve(listener net.Listener, handler http.Handler, _ bool) error {
	streams := &http2.Server{}
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		options := &http2.ServeConnOpts{Handler: handler, BaseConfig: web.Server(nil)}
		go streams.ServeConn(connection, options)
	}
}
