// Command clibrary is a library for programs in C, that serves HTTP.
package main

import "C"

import (
	"fmt"
	"log"
	"net"
	"net/http"
)

// Serve serves HTTP, and says where.
//
//export Serve
func Serve() *C.char {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/hello/{name}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello from", r.URL.Path) })
	go func() { log.Fatal(http.Serve(listener, mux)) }()
	return C.CString(listener.Addr().String())
}

func main() {}
