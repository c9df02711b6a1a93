package main

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
)

func connect(o order) *grpc.ClientConn {
	if !o.dials() {
		return rpc.Connect(o.Address, rpc.Secrets(o.TLS))
	}
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return o.dial(ctx) }
	return rpc.Connect("server", rpc.Secrets(o.TLS), grpc.WithContextDialer(dial))
}

func newRPC(o order) client {
	var kept *grpc.ClientConn
	if !o.Close {
		kept = connect(o)
	}
	return func(ctx context.Context, o order, number int) error {
		c := kept
		if c == nil {
			c = connect(o)
			defer c.Close()
		}
		if all := o.headers(number); len(all) > 0 {
			ctx = metadata.NewOutgoingContext(ctx, metadata.New(all))
		}
		switch o.Own {
		case "set":
			ctx = metadata.NewOutgoingContext(ctx,
				metadata.Pairs("x-other", "value", "traceparent", o.own(number)))
		case "appended":
			ctx = metadata.AppendToOutgoingContext(ctx, "x-other", "value", "traceparent",
				o.own(number))
		}
		if o.Protocol == "unary" {
			return rpc.Invoke(ctx, c, o.path(number), o.bytes(number, o.Body))
		}
		var messages []string
		for i := 0; i < rpc.Messages; i++ {
			messages = append(messages, o.bytes(number, o.Body+i))
		}
		return rpc.Converse(ctx, c, o.path(number), messages)
	}
}
