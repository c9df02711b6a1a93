// Command hello is the server that the benchmark measures.
package main

import (
	"fmt"
	"net/http"

	"github.com/spanprobe/spanprobe/testbed/bench/server/program"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/lines"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

// instrument is what byhand.go replaces.
var instrument = func(handler http.Handler) http.Handler { return handler }

func main() { program.Run(serve) }

// serve answers GET /hello/{name}, over HTTP/1.1 and HTTP/2, until standard input is closed.
func serve() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s\n", r.PathValue("name"))
	})
	server := &http.Server{Handler: instrument(mux)}
	web.WithoutTLS(server)
	lines.Serve(web.Serve("tcp", web.Loopback, server.Serve), nil)
}
