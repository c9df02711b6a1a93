//go:build go1.24

package main

import "net/http"

// withoutTLS lets a client speak HTTP/2 at once.
func withoutTLS(server *http.Server) {
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
}
