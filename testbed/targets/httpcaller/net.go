//go:build net

package main

import (
	"crypto/tls"
	"net"
	"net/http"

	"golang.org/x/net/http2"
)

func transportOfNet(o order, config *tls.Config) http.RoundTripper {
	//nolint:staticcheck // deprecated, but all releases have it
	t := &http2.Transport{TLSClientConfig: config, AllowHTTP: true}
	if o.withoutTLS() {
		//nolint:staticcheck // as above
		t.DialTLS = func(network, address string, _ *tls.Config) (net.Conn, error) {
			return net.Dial(network, address)
		}
	}
	return t
}

func configureForNet(t *http.Transport) {
	//nolint:staticcheck // deprecated, but all releases have it
	if err := http2.ConfigureTransport(t); err != nil {
		panic(err)
	}
}
