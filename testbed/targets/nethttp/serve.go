//go:build !h2c && !direct && !tls

package main

import (
	"context"
	"net"
	"net/http"
	"runtime"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

var handler = copied(routes())

func serve(listener net.Listener, handler http.Handler, secure bool) error {
	server := web.Server(handler)
	server.MaxHeaderBytes = 4 << 20
	if secure {
		return web.OverTLS(server)(listener)
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

func routes() http.Handler {
	mux := muxOf(map[string]http.HandlerFunc{
		"/status": status, "/slow": slow, "/panic": panics, "/recover": recovers,
		"/hijack": hijack, "/garbage": garbage, "/gather": gather,
		"/nothing": func(http.ResponseWriter, *http.Request) {}, // it writes no header either
		"/abort":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"/exit":    func(http.ResponseWriter, *http.Request) { runtime.Goexit() },
	})
	if runtime.Version() < "go1.22" { // it knows no patterns
		mux.HandleFunc("/mutate/", mutate)
		for _, path := range []string{"/hello/", "/nested/", "/tenant/", "/stripped/"} {
			mux.HandleFunc(path, hello)
		}
		return mux
	}
	mux.HandleFunc("GET /hello/{name}", hello)
	mux.HandleFunc("/mutate/{what...}", mutate)
	mux.HandleFunc("POST example.com/slow", slow)
	mux.Handle("/nested/", muxOf(map[string]http.HandlerFunc{"GET /nested/items/{id}": hello}))
	mux.Handle("/tenant/",
		copied(muxOf(map[string]http.HandlerFunc{"GET /tenant/items/{id}": hello})))
	mux.Handle("/stripped/", http.StripPrefix("/stripped",
		muxOf(map[string]http.HandlerFunc{"GET /items/{id}": hello})))
	return mux
}

func muxOf(handlers map[string]http.HandlerFunc) *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, handler := range handlers {
		mux.HandleFunc(pattern, handler)
	}
	return mux
}
