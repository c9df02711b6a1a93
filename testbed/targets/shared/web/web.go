// Package web is what target programs share that speak HTTP. Old releases of Go compile it: see
// testbed/harness/target.
package web

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
)

// Loopback is an address to listen at: any port of this machine.
const Loopback = "127.0.0.1:0"

// Listen listens, or ends the program.
func Listen(network, address string) net.Listener {
	listener, err := net.Listen(network, address)
	if err != nil {
		log.Fatal(err)
	}
	return listener
}

// Server is a server that says nothing of requests that go wrong.
func Server(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
}

// Get makes a request, reads the answer, and expects that to be 200. It returns the version of HTTP
// that was spoken: 1 or 2.
func Get(
	ctx context.Context, client *http.Client, url string, header http.Header,
) (version int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	return Do(client, request)
}

// Do is Get for another request.
func Do(client *http.Client, request *http.Request) (version int, err error) {
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, err
	}
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s %s", request.URL, response.Proto, response.Status)
	}
	return response.ProtoMajor, nil
}

// Trusting has a client trust any certificate.
func Trusting() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }
