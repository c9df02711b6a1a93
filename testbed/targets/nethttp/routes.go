//go:build go1.22 && !h2c && !direct && !tls

package main

import "net/http"

func routes() http.Handler {
	mux := http.NewServeMux()
	for path, handler := range alike {
		mux.HandleFunc(path, handler)
	}
	mux.HandleFunc("GET /hello/{name}", hello)
	mux.HandleFunc("/mutate/{what...}", mutate)
	mux.HandleFunc("POST example.com/slow", slow)

	inner := http.NewServeMux()
	inner.HandleFunc("GET /nested/items/{id}", hello)
	mux.Handle("/nested/", inner)
	inner = http.NewServeMux()
	inner.HandleFunc("GET /tenant/items/{id}", hello)
	mux.Handle("/tenant/", copied(inner))
	inner = http.NewServeMux()
	inner.HandleFunc("GET /items/{id}", hello)
	mux.Handle("/stripped/", http.StripPrefix("/stripped", inner))
	return mux
}
