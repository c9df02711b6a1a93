// Command hello is the server that the benchmark measures.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"

	"github.com/spanprobe/spanprobe/testbed/bench/server/program"
)

var certificate = flag.String("tls", "", "`file` of a certificate and its key, to serve over TLS")

// instrument is what byhand.go replaces.
var instrument = func(handler http.Handler) http.Handler { return handler }

func main() { program.Run(serve) }

// serve answers GET /hello/{name}, over HTTP/1.1 and HTTP/2.
func serve() error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s\n", r.PathValue("name"))
	})
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: instrument(mux), Protocols: &protocols}
	return program.Serve(func(l net.Listener) error {
		if *certificate != "" {
			return server.ServeTLS(l, *certificate, *certificate)
		}
		return server.Serve(l)
	})
}
