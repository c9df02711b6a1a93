//go:build !direct && !tls

package main

import (
	"io"
	"log"
	"net"
	"net/http"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c" //nolint:staticcheck // deprecated, and in use
)

// serve has a handler that takes connections over that speak HTTP/2.
func serve(listener net.Listener, _, _ string) error {
	handler := h2c.NewHandler(http.HandlerFunc(answer), &http2.Server{}) //nolint:staticcheck // as above
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	return server.Serve(listener)
}
