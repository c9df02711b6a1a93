// Command server answers requests by making calls, in every way in which programs
// get from the one to the other. It knows nothing of tracing.
//
// A request names the side that it comes over, how calls are to be made ("http" or
// "grpc"), the case and a number: /http1/grpc/errgroup/17. The calls that it makes have
// its name with the number of its message and their own behind it: /http1/grpc/errgroup/17/0/2.
//
// The server prints the addresses that it listens on: of HTTP, of HTTP with TLS, and
// of gRPC. The line "background" on its standard input begins what belongs to no request; "still" ends
// it, and is answered with how many calls have been made so: by a ticker, by a refresher that
// the first request for it has started, and by a pool's opener of connections. "held" is answered with
// how many requests are held, and so is "release", which lets them go on. It ends when the input is closed.
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
	"strings"
	"time"

	"google.golang.org/grpc"
)

func main() {
	web := flag.String("http", "", "URL of a server to call")
	rpc := flag.String("grpc", "", "address of a gRPC server to call")
	certificate := flag.String("cert", "", "certificate file")
	key := flag.String("key", "", "key file of the certificate")
	flag.Parse()
	startCalling(*web, *rpc)
	startWorkers(jobs)
	go tick("ticker")

	plain, secure, streams := listen(), listen(), listen()
	mux := http.NewServeMux()
	mux.HandleFunc("/", answer)
	mux.Handle("/http1/http/timeout-handler/", timeoutHandler)
	mux.Handle("/http1/grpc/timeout-handler/", timeoutHandler)
	mux.Handle("/http2/http/timeout-handler/", timeoutHandler)
	mux.Handle("/http2/grpc/timeout-handler/", timeoutHandler)
	mux.Handle("/http1/http/proxied/", proxy())
	mux.Handle("/http2/http/proxied/", proxy())
	server := &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { log.Fatal(server.Serve(plain)) }()
	go func() { log.Fatal(server.ServeTLS(secure, *certificate, *key)) }()
	calls := grpc.NewServer()
	calls.RegisterService(&service, nil)
	go func() { log.Fatal(calls.Serve(streams)) }()

	fmt.Println(plain.Addr(), secure.Addr(), streams.Addr())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch lines.Text() {
		case "background":
			fmt.Println(background.begin())
		case "still":
			fmt.Println(background.end())
		case "held":
			fmt.Println(holding.count())
		case "release":
			fmt.Println(holding.release())
		}
	}
}

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return listener
}

// answer serves a request over HTTP.
func answer(w http.ResponseWriter, r *http.Request) {
	if err := serve(r.Context(), r.URL.Path, 0); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// timeoutHandler has requests answered on a goroutine of their own.
var timeoutHandler = http.TimeoutHandler(http.HandlerFunc(answer), time.Minute, "")

// parse takes the path of a request apart.
func parse(path string, message int) (request, string, error) {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if len(parts) != 4 {
		return request{}, "", fmt.Errorf("no request: %q", path)
	}
	return request{path: "/" + strings.Join(parts, "/"), via: parts[1], message: message}, parts[2], nil
}
