//go:build net

package main

import (
	"crypto/tls"
	"net"
	"net/http"

	"golang.org/x/net/http2"
)

func init() {
	transportOfNet = func(withoutTLS bool, config *tls.Config) http.RoundTripper {
		//nolint:staticcheck // deprecated, but all releases have it
		t := &http2.Transport{TLSClientConfig: config, AllowHTTP: true}
		if withoutTLS {
			//nolint:staticcheck // as above
			t.DialTLS = func(network, address string, _ *tls.Config) (net.Conn, error) {
				return net.Dial(network, address)
			}
		}
		return t
	}
	//nolint:staticcheck // as above
	configureForNet = http2.ConfigureTransport
}
