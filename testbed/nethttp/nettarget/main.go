// Command nettarget serves HTTP/2 with golang.org/x/net/http2, in each of the
// ways in which programs use it. It knows nothing of tracing. Like the target in
// bpf/nethttp it prints its address, and how many requests have reached a
// handler for each line on its standard input.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c" //nolint:staticcheck // deprecated, and in use
)

var served int64

func main() {
	mode := flag.String("mode", "h2c", "h2c: a handler that upgrades; direct: connections that are served without net/http; tls: a server that was configured")
	certificate := flag.String("cert", "", "certificate file, for tls")
	key := flag.String("key", "", "key file of the certificate")
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(serve(listener, *mode, *certificate, *key)) }()
	fmt.Println(listener.Addr())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(atomic.LoadInt64(&served))
	}
}

func serve(listener net.Listener, mode, certificate, key string) error {
	streams := &http2.Server{}
	handler := http.HandlerFunc(answer)
	quiet := log.New(io.Discard, "", 0)
	switch mode {
	case "direct":
		for {
			connection, err := listener.Accept()
			if err != nil {
				return err
			}
			go streams.ServeConn(connection, &http2.ServeConnOpts{Handler: handler, BaseConfig: &http.Server{ErrorLog: quiet}})
		}
	case "tls":
		server := &http.Server{Handler: handler, ErrorLog: quiet}
		if err := http2.ConfigureServer(server, streams); err != nil {
			return err
		}
		return server.ServeTLS(listener, certificate, key)
	}
	server := &http.Server{Handler: h2c.NewHandler(handler, streams), ErrorLog: quiet} //nolint:staticcheck // as above
	return server.Serve(listener)
}

// answer writes the status that the query names, or panics if that is 0.
func answer(w http.ResponseWriter, r *http.Request) {
	atomic.AddInt64(&served, 1)
	code, err := strconv.Atoi(r.URL.Query().Get("code"))
	switch {
	case err != nil: // nothing is written
	case code == 0:
		panic("as asked")
	default:
		w.WriteHeader(code)
	}
}
