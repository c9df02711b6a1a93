//go:build !go1.24

package main

import "net/http"

func withoutTLS(*http.Server) {}

func withoutTLSOnly(*http.Transport) {
	panic("net/http speaks HTTP/2 without TLS from Go 1.24 on")
}
