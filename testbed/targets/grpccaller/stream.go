package main

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// kindOf says which sides send more than one message.
func kindOf(o order) *grpc.StreamDesc {
	return &grpc.StreamDesc{ServerStreams: o.Kind != "client", ClientStreams: o.Kind != "server"}
}

// leave begins a call, and says over which connection it goes: gRPC does so when a
// call ends, which nobody waits for here.
func leave(
	ctx context.Context, c *grpc.ClientConn, o order, options []grpc.CallOption,
) (peer.Peer, error) {
	kind := kindOf(o)
	stream, err := c.NewStream(ctx, kind, o.Method, options...)
	if err == nil {
		err = stream.SendMsg(wrapperspb.String("a message"))
	}
	if err == nil && !kind.ClientStreams {
		err = stream.CloseSend()
	}
	if err == nil && kind.ServerStreams {
		err = stream.RecvMsg(new(wrapperspb.StringValue))
	}
	if err != nil {
		return peer.Peer{}, err
	}
	p, ok := peer.FromContext(stream.Context())
	if !ok {
		return peer.Peer{}, errors.New("there is no peer")
	}
	return *p, nil
}
