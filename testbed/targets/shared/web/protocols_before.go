//go:build !go1.24

package web

import "net/http"

// WithoutTLS does nothing: without TLS, net/http speaks HTTP/2 from Go 1.24 on.
func WithoutTLS(*http.Server) {}

// WithoutTLSOnly cannot be done.
func WithoutTLSOnly(*http.Transport) {
	panic("net/http speaks HTTP/2 without TLS from Go 1.24 on")
}
