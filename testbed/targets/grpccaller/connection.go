package main

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
)

// The scheme "never" has a resolver that never finds anything.
func init() { resolver.Register(manual.NewBuilderWithScheme("never")) }

var connections rpc.Kept

// dial is how programs connect. From gRPC 1.63 on they have grpc.NewClient.
var dial = grpc.Dial //nolint:staticcheck // deprecated, and in use

// connection returns the one that an order is for.
func connection(o order) *grpc.ClientConn {
	connect := func() *grpc.ClientConn { return connect(o) }
	if o.Close != 0 {
		return connect()
	}
	key := fmt.Sprint(o.Target, o.TLS, o.Config, o.Interceptor, o.Stats, o.Wrapped)
	return connections.Get(key, connect)
}

// connect makes a connection, which gRPC establishes when it wants to.
func connect(o order) *grpc.ClientConn {
	options := []grpc.DialOption{rpc.Secrets(o.TLS), grpc.WithNoProxy()}
	if o.Config != "" {
		options = append(options, grpc.WithDefaultServiceConfig(o.Config))
	}
	if o.Interceptor {
		options = append(options, grpc.WithUnaryInterceptor(passUnary),
			grpc.WithStreamInterceptor(passStream))
	}
	if o.Stats {
		options = append(options, grpc.WithStatsHandler(watcher{}))
	}
	if o.Wrapped {
		dial := func(ctx context.Context, address string) (net.Conn, error) {
			plain, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			return wrapped{plain}, err
		}
		options = append(options, grpc.WithContextDialer(dial))
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
