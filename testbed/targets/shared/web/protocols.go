//go:build go1.24

package web

import "net/http"

// WithoutTLS has a server speak HTTP/2 without TLS, too.
func WithoutTLS(server *http.Server) {
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(true)
	server.Protocols.SetUnencryptedHTTP2(true)
}

// WithoutTLSOnly has a client speak nothing else.
func WithoutTLSOnly(transport *http.Transport) {
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetUnencryptedHTTP2(true)
}
