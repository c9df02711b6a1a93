// Command plugin is a plugin that handles HTTP, or serves it.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
)

// Handler is one for somebody else's server.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/hello/{name}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello from", r.URL.Path) })
	return mux
}

// Serve serves HTTP, and says where.
func Serve() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(listener, Handler())) }()
	return listener.Addr().String()
}

func main() {}
