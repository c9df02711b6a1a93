package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// serve begins to serve, and returns the addresses. A name says the protocol, and which listener
// it is: "http dual".
func serve(certificate, key, folder string, port int) map[string]string {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		log.Fatal(err)
	}
	web := &http.Server{
		Handler:   http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
		ErrorLog:  log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}},
	}
	withoutTLS(web)
	answer := grpc.UnknownServiceHandler(answer)
	plain := grpc.NewServer(answer)
	secure := grpc.NewServer(answer, grpc.Creds(credentials.NewTLS(web.TLSConfig)))

	addresses := map[string]string{}
	for _, l := range []struct{ name, network, address string }{
		{"ipv4", "tcp4", "127.0.0.1:0"},
		{"ipv6", "tcp6", "[::1]:0"},
		{"dual", "tcp", ":0"}, // of IPv6, and takes connections of IPv4 too
		{"tls", "tcp4", "127.0.0.1:0"},
		{"wrapped", "tcp4", "127.0.0.1:0"},
		{"unix", "unix", ""},
		{"abstract", "unix", ""},
	} {
		for _, protocol := range []string{"http", "grpc"} {
			address := l.address
			switch l.name {
			case "unix":
				address = filepath.Join(folder, protocol)
			case "dual":
				if port != 0 {
					address = fmt.Sprintf(":%d", map[string]int{"http": port, "grpc": port + 1}[protocol])
				}
			case "abstract":
				address = fmt.Sprintf("@peer-%d-%s", os.Getpid(), protocol)
			}
			listener, err := net.Listen(l.network, address)
			if err != nil {
				log.Fatal(err)
			}
			addresses[protocol+" "+l.name] = listener.Addr().String()
			if l.name == "wrapped" {
				listener = wrappingListener{listener}
			}
			switch {
			case protocol == "http" && l.name == "tls":
				go func() { log.Fatal(web.ServeTLS(listener, "", "")) }()
			case protocol == "http":
				go func() { log.Fatal(web.Serve(listener)) }()
			case l.name == "tls":
				go func() { log.Fatal(secure.Serve(listener)) }()
			default:
				go func() { log.Fatal(plain.Serve(listener)) }()
			}
		}
	}
	return addresses
}

// answer answers each message of a call of any method with the same.
func answer(_ interface{}, s grpc.ServerStream) error {
	for {
		message := new(wrapperspb.StringValue)
		if err := s.RecvMsg(message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := s.SendMsg(message); err != nil {
			return err
		}
	}
}

// wrapped is a connection of the program's own, as limiters and meters have them. It knows the
// addresses, and does not show what is in it.
type wrapped struct {
	_ [3]int64
	net.Conn
}

type wrappingListener struct{ net.Listener }

func (l wrappingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &wrapped{Conn: c}, nil
}
