//go:build tls

package main

import (
	"io"
	"log"
	"net"
	"net/http"

	"golang.org/x/net/http2"
)

// serve has a server of net/http's that was configured.
func serve(listener net.Listener, certificate, key string) error {
	server := &http.Server{Handler: http.HandlerFunc(answer), ErrorLog: log.New(io.Discard, "", 0)}
	if err := http2.ConfigureServer(server, &http2.Server{}); err != nil {
		return err
	}
	return server.ServeTLS(listener, certificate, key)
}
