//go:build !net

package main

import (
	"crypto/tls"
	"net/http"
)

const without = "this program was built without golang.org/x/net: -tags=net"

func transportOfNet(order, *tls.Config) http.RoundTripper { panic(without) }

func configureForNet(*http.Transport) { panic(without) }
