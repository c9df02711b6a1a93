// Package hello is the server that the benchmark measures.
package hello

import (
	"crypto/tls"
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

// Serve serves HTTP/1.1 and HTTP/2 on a free port of loopback, without TLS.
func Serve(handler http.Handler) error {
	server := newServer(handler)
	return serve(server.Serve)
}

// ServeTLS is Serve over TLS, with a certificate that nobody has signed.
func ServeTLS(handler http.Handler) error {
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	server := newServer(handler)
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	return serve(func(l net.Listener) error { return server.ServeTLS(l, "", "") })
}

func newServer(handler http.Handler) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{Handler: handler, Protocols: &protocols}
}

// serve prints the address that it serves on, and returns when standard input
// is closed.
func serve(accept func(net.Listener) error) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- accept(listener) }()
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		failed <- err
	}()
	fmt.Println(listener.Addr())
	return <-failed
}
