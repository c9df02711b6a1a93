package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
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

// serve begins to serve, at the addresses or at others, which it adds. A name says the protocol,
// and which listener it is: "http dual".
func serve(addresses map[string]string, folder, host string, port int) {
	each := grpc.UnknownServiceHandler(rpc.Each(relay))
	plain := web.Server(http.HandlerFunc(answer))
	secure := web.OverTLS(plain, "h2", "http/1.1")
	web.WithoutTLS(plain)
	calls := grpc.NewServer(each)
	secureCalls := grpc.NewServer(each, grpc.Creds(credentials.NewTLS(plain.TLSConfig)))

	for _, protocol := range []struct {
		name          string
		port          int // on the dual listener, if there is one to serve at
		serve, secure func(net.Listener) error
	}{
		{"http", port, plain.Serve, secure},
		{"grpc", port + 1, calls.Serve, secureCalls.Serve},
	} {
		begin := func(name, network, address string, serve func(net.Listener) error) {
			name = protocol.name + " " + name
			if addresses[name] != "" {
				address = addresses[name]
			}
			addresses[name] = web.Serve(network, address, serve)
		}
		serve, dual := protocol.serve, ":0"
		if port != 0 {
			dual = fmt.Sprint(":", protocol.port)
		}
		begin("ipv4", "tcp4", host, serve)
		begin("ipv6", "tcp6", "[::1]:0", serve)
		begin("dual", "tcp", dual, serve) // of IPv6, and takes connections of IPv4 too
		begin("tls", "tcp4", host, protocol.secure)
		begin("wrapped", "tcp4", host, func(l net.Listener) error {
			return serve(wrappingListener{l})
		})
		begin("wrapped tls", "tcp4", host, func(l net.Listener) error {
			return protocol.secure(wrappingListener{l})
		})
		begin("abstract", "unix", fmt.Sprintf("@%s-%d", protocol.name, os.Getpid()), serve)
		if folder != "" {
			begin("unix", "unix", filepath.Join(folder, protocol.name), serve)
		}
	}
}

// answer follows the orders of requests that bring some. It answers others with nothing, once they
// are forwarded.
func answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/relay" {
		parts := strings.SplitN(r.URL.Path, "/", 3)
		if err := forward(r.Context(), parts[len(parts)-1]); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
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

// relay follows the orders of calls that bring some. The messages of others are ids.
func relay(ctx context.Context, message string) error {
	if method, _ := grpc.Method(ctx); !strings.HasPrefix(method, "/relay/") {
		return forward(ctx, message)
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

// socket is another, which is one pointer.
type socket struct{ *net.TCPConn }

func wrap(c net.Conn) net.Conn {
	if tcp, ok := c.(*net.TCPConn); ok {
		c = socket{tcp}
	}
	return &wrapped{Conn: c}
}

type wrappingListener struct{ net.Listener }

func (l wrappingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return wrap(c), nil
}
