//go:build go1.22

package main

import "net/http"

func routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /hello/{name}", hello)
	mux.HandleFunc("/status", status)
	mux.HandleFunc("/nothing", nothing)
	mux.HandleFunc("/mutate/{what...}", mutate)
	mux.HandleFunc("POST example.com/slow", slow)
	mux.HandleFunc("/slow", slow)
	mux.HandleFunc("/panic", panics)
	mux.HandleFunc("/hijack", hijack)
	mux.HandleFunc("/abort", aborts)
	mux.HandleFunc("/garbage", garbage)
	mux.HandleFunc("/gather", gather)
	mux.HandleFunc("/exit", exits)
	mux.HandleFunc("/recover", recovers)

	inner := http.NewServeMux()
	inner.HandleFunc("GET /nested/items/{id}", hello)
	mux.Handle("/nested/", inner)
	inner = http.NewServeMux()
	inner.HandleFunc("GET /tenant/items/{id}", hello)
	mux.Handle("/tenant/", copied(inner))
	inner = http.NewServeMux()
	inner.HandleFunc("GET /items/{id}", hello)
	mux.Handle("/stripped/", http.StripPrefix("/stripped", inner))
}
