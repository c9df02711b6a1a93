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
	mux.HandleFunc("/abort", aborts)
	mux.HandleFunc("/garbage", garbage)
	mux.HandleFunc("/gather", gather)
	mux.HandleFunc("/exit", exits)
	mux.HandleFunc("/recover", recovers)
	for _, path := range []string{"/nested/", "/tenant/", "/stripped/"} {
		mux.HandleFunc(path, hello)
	}
}
