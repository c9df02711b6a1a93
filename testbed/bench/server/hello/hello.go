// Package hello is the server that the benchmark measures.
package hello

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

// Handler answers GET /hello/{name}.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s\n", r.PathValue("name"))
	})
	return mux
}

// Serve serves on a free port of loopback, prints its address, and returns when
// standard input is closed.
func Serve(handler http.Handler) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- http.Serve(listener, handler) }()
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		failed <- err
	}()
	fmt.Println(listener.Addr())
	return <-failed
}
