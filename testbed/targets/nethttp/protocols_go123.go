//go:build !go1.24

package main

import "net/http"

// withoutTLS does nothing: without TLS, net/http speaks HTTP/2 from Go 1.24 on.
func withoutTLS(*http.Server) {}
