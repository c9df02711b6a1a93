package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

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
