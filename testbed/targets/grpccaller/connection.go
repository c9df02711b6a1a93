package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/resolver"
)

func init() { resolver.Register(never{}) }

var connections = struct {
	sync.Mutex
	known map[string]*grpc.ClientConn
}{known: map[string]*grpc.ClientConn{}}

// connection returns the one that an order is for.
func connection(o order) *grpc.ClientConn {
	if o.Close != 0 {
		return connect(o)
	}
	connections.Lock()
	defer connections.Unlock()
	key := fmt.Sprint(o.Target, o.TLS, o.Config, o.Interceptor, o.Stats, o.Wrapped)
	if connections.known[key] == nil {
		connections.known[key] = connect(o)
	}
	return connections.known[key]
}

// connect makes a connection, which gRPC establishes when it wants to.
func connect(o order) *grpc.ClientConn {
	secrets := grpc.WithInsecure() //nolint:staticcheck // deprecated, but all releases have it
	if o.TLS {
		secrets = grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}))
	}
	options := []grpc.DialOption{secrets, grpc.WithNoProxy()}
	if o.Config != "" {
		options = append(options, grpc.WithDefaultServiceConfig(o.Config))
	}
	if o.Interceptor {
		options = append(options, grpc.WithUnaryInterceptor(passUnary), grpc.WithStreamInterceptor(passStream))
	}
	if o.Stats {
		options = append(options, grpc.WithStatsHandler(watcher{}))
	}
	if o.Wrapped {
		options = append(options, grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			plain, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			return wrapped{plain}, err
		}))
	}
	c, err := dial(o.Target, options...)
	if err != nil {
		panic(err)
	}
	return c
}

// wrapped hides what it connects.
type wrapped struct{ net.Conn }

func (wrapped) LocalAddr() net.Addr  { return place{} }
func (wrapped) RemoteAddr() net.Addr { return place{} }

// place is no address of a network.
type place struct{}

func (place) Network() string { return "place" }
func (place) String() string  { return "somewhere" }

// never is a resolver that never finds anything.
type never struct{}

func (never) Scheme() string { return "never" }

func (never) Build(resolver.Target, resolver.ClientConn, resolver.BuildOptions) (resolver.Resolver, error) {
	return never{}, nil
}

func (never) ResolveNow(resolver.ResolveNowOptions) {}
func (never) Close()                                {}
