//go:build !go1.22

package main

import "net/http"

func routes(mux *http.ServeMux) {
	mux.HandleFunc("/hello/", hello)
	mux.HandleFunc("/status", status)
	mux.HandleFunc("/nothing", nothing)
	mux.HandleFunc("/mutate/", mutate)
	mux.HandleFunc("/slow", slow)
	mux.HandleFunc("/panic", panics)
	mux.HandleFunc("/hijack", hijack)
}
