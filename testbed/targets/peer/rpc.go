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
		messages := o.messages(number)
		if o.Protocol == "unary" {
			return rpc.Invoke(ctx, c, o.path(number), messages[0])
		}
		return rpc.Converse(ctx, c, o.path(number), messages, grpc.WaitForReady(o.id != ""))
	}
}
