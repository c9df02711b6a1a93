//go:build net

package main

import (
	"crypto/tls"
	"net"
	"net/http"

	"golang.org/x/net/http2"
)

func transportOfNet(o order, config *tls.Config) http.RoundTripper {
	t := &http2.Transport{TLSClientConfig: config, AllowHTTP: true} //nolint:staticcheck // deprecated, but all releases have it
	if o.withoutTLS() {
		t.DialTLS = func(network, address string, _ *tls.Config) (net.Conn, error) { return net.Dial(network, address) } //nolint:staticcheck // deprecated, but all releases have it
	}
	return t
}

func configureForNet(t *http.Transport) {
	if err := http2.ConfigureTransport(t); err != nil { //nolint:staticcheck // deprecated, but all releases have it
		panic(err)
	}
}
