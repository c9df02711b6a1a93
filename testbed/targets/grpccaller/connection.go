package main

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

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

// What programs put between themselves and gRPC.

func passUnary(
	ctx context.Context, method string, request, reply interface{}, c *grpc.ClientConn,
	invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	ctx = addParent(ctx, "interceptor")
	return invoke(context.WithValue(ctx, passed{}, true), method, request, reply, c, options...)
}

func passStream(
	ctx context.Context, d *grpc.StreamDesc, c *grpc.ClientConn, method string,
	open grpc.Streamer, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	ctx = addParent(ctx, "interceptor")
	stream, err := open(context.WithValue(ctx, passed{}, true), d, c, method, options...)
	if err != nil {
		return nil, err
	}
	return &passedStream{stream}, nil
}

type passed struct{}

type parentKey struct{}

// addParent has a call say whose child it is, if that is for the one who asks to do.
func addParent(ctx context.Context, who string) context.Context {
	if ctx.Value(parentKey{}) != who {
		return ctx
	}
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	return metadata.AppendToOutgoingContext(ctx, "x-first", "1", "Traceparent", parent)
}

type passedStream struct{ grpc.ClientStream }

// endsKey is of a channel that has the status of each attempt's end, as a stats handler sees it.
type endsKey struct{}

// watcher is a stats handler.
type watcher struct{}

func (watcher) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	return context.WithValue(addParent(ctx, "stats handler"), passed{}, true)
}

func (watcher) HandleRPC(ctx context.Context, event stats.RPCStats) {
	if end, ok := event.(*stats.End); ok {
		ctx.Value(endsKey{}).(chan int) <- int(status.Code(end.Error))
	}
}

func (watcher) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (watcher) HandleConn(context.Context, stats.ConnStats)                       {}
