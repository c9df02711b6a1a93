package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

// serve begins to serve, and returns the addresses. A name says the protocol, and which listener
// it is: "http dual".
func serve(folder string, port int) map[string]string {
	plain := web.Server(http.HandlerFunc(answer))
	plain.TLSConfig = web.Secure("h2", "http/1.1")
	web.WithoutTLS(plain)
	each := grpc.UnknownServiceHandler(rpc.Each(relay))
	calls := grpc.NewServer(each)
	secure := grpc.NewServer(each, grpc.Creds(credentials.NewTLS(plain.TLSConfig)))
	secureWeb := func(l net.Listener) error { return plain.ServeTLS(l, "", "") }

	addresses := map[string]string{}
	for _, l := range []struct{ name, network, web, rpc string }{
		{"ipv4", "tcp4", web.Loopback, web.Loopback},
		{"ipv6", "tcp6", "[::1]:0", "[::1]:0"},
		{"dual", "tcp", dual(port, 0), dual(port, 1)}, // of IPv6, and takes connections of IPv4 too
		{"tls", "tcp4", web.Loopback, web.Loopback},
		{"wrapped", "tcp4", web.Loopback, web.Loopback},
		{"unix", "unix", filepath.Join(folder, "http"), filepath.Join(folder, "grpc")},
		{"abstract", "unix", fmt.Sprint("@http-", os.Getpid()), fmt.Sprint("@grpc-", os.Getpid())},
	} {
		if l.name == "unix" && folder == "" {
			continue
		}
		ways := map[string]func(net.Listener) error{"http": plain.Serve, "grpc": calls.Serve}
		if l.name == "tls" {
			ways = map[string]func(net.Listener) error{"http": secureWeb, "grpc": secure.Serve}
		}
		for protocol, address := range map[string]string{"http": l.web, "grpc": l.rpc} {
			listener := web.Listen(l.network, address)
			addresses[protocol+" "+l.name] = listener.Addr().String()
			if l.name == "wrapped" {
				listener = wrappingListener{listener}
			}
			go func(serve func(net.Listener) error) { log.Fatal(serve(listener)) }(ways[protocol])
		}
	}
	return addresses
}

func dual(port, more int) string {
	if port == 0 {
		return ":0"
	}
	return fmt.Sprint(":", port+more)
}

// answer answers any request with nothing, but for those that bring an order.
func answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/relay" {
		return
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	if err := json.NewEncoder(w).Encode(follow(r.Context(), string(text))); err != nil {
		panic(err)
	}
}

// relay follows the orders of calls that bring some.
func relay(ctx context.Context, message string) error {
	if method, _ := grpc.Method(ctx); !strings.HasPrefix(method, "/relay/") {
		return nil
	}
	if errs := follow(ctx, message); len(errs) > 0 {
		return fmt.Errorf("%d requests failed: %s", len(errs), errs[0])
	}
	return nil
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
