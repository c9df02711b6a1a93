// Package web is what target programs share that speak HTTP. Old releases of Go compile it: see
// testbed/harness/target.
package web

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"time"
)

// Loopback is an address to listen at: any port of this machine.
const Loopback = "127.0.0.1:0"

// Serve listens, begins to serve, and returns the address.
func Serve(network, address string, serve func(net.Listener) error) string {
	listener, err := net.Listen(network, address)
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		if err := serve(listener); err != nil { // nil: it was stopped
			log.Fatal(err)
		}
	}()
	return listener.Addr().String()
}

// Server is a server that says nothing of requests that go wrong.
func Server(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
}

// OverTLS has a server serve with TLS, for these protocols.
func OverTLS(server *http.Server, protocols ...string) func(net.Listener) error {
	server.TLSConfig = Secure(protocols...)
	return func(listener net.Listener) error { return server.ServeTLS(listener, "", "") }
}

// WithoutTLS has a server speak HTTP/2 without TLS, too, and WithoutTLSOnly has a client speak
// nothing else. Before Go 1.24 net/http does not: then the one does nothing, and the other panics.
var (
	WithoutTLS     = func(*http.Server) {}
	WithoutTLSOnly = func(*http.Transport) { panic("net/http speaks HTTP/2 only with TLS") }
)

// Get makes a request, reads the answer, and expects that to be 200. It returns the version of HTTP
// that was spoken: 1 or 2.
func Get(ctx context.Context, client *http.Client, url string) (version int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
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

// Secure is the configuration of a server with a certificate of its own, for these protocols.
func Secure(protocols ...string) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{Certificate()}, NextProtos: protocols}
}

// Certificate makes a certificate for 127.0.0.1 that signs itself.
func Certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{signed}, PrivateKey: key}
}
