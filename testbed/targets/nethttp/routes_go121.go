//go:build !go1.22 && !h2c && !direct && !tls

package main

import "net/http"

func routes() http.Handler {
	mux := http.NewServeMux()
	for path, handler := range alike {
		mux.HandleFunc(path, handler)
	}
	mux.HandleFunc("/mutate/", mutate)
	for _, path := range []string{"/hello/", "/nested/", "/tenant/", "/stripped/"} {
		mux.HandleFunc(path, hello)
	}
	return mux
}
