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
}
