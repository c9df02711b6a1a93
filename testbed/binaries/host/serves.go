//go:build serves

package main

import (
	"log"
	"net"
	"net/http"
	"plugin"
)

func serve(loaded *plugin.Plugin) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	handler := find(loaded, "Handler").(func() http.Handler)()
	go func() { log.Fatal(http.Serve(listener, handler)) }()
	return listener.Addr().String()
}
