//go:build !h2c && !direct && !tls

package main

import (
	"context"
	"net"
	"net/http"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

var handler = copied(routes())

func serve(listener net.Listener, handler http.Handler, secure bool) error {
	server := web.Server(handler)
	server.MaxHeaderBytes = 4 << 20
	if secure {
		server.TLSConfig = web.Secure()
		return server.ServeTLS(listener, "", "")
	}
	web.WithoutTLS(server)
	return server.Serve(listener)
}

// copied hands on a copy of the request, of the kind that its X-Copy header names.
func copied(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("X-Copy") {
		case "context":
			r = r.WithContext(context.WithValue(r.Context(), copyKey{}, true))
		case "clone":
			r = r.Clone(context.WithValue(r.Context(), copyKey{}, true))
		}
		next.ServeHTTP(w, r)
	})
}

type copyKey struct{}

// alike are the routes that programs have with and without patterns.
var alike = map[string]http.HandlerFunc{
	"/status": status, "/nothing": nothing, "/slow": slow, "/panic": panics, "/hijack": hijack,
	"/abort":   aborts,
	"/garbage": garbage, "/gather": gather, "/exit": exits, "/recover": recovers,
}
