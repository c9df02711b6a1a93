//go:build go1.24

package main

import "net/http"

// withoutTLSOnly has a client speak nothing else.
func withoutTLSOnly(transport *http.Transport) {
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetUnencryptedHTTP2(true)
}
