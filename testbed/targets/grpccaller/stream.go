package main

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// messages is how many a stream to the server has.
const messages = 3

// kindOf says which sides send more than one message.
func kindOf(o order) *grpc.StreamDesc {
	return &grpc.StreamDesc{ServerStreams: o.Kind != "client", ClientStreams: o.Kind != "server"}
}

// exchange makes a call of several messages, and reads it to its end.
func exchange(ctx context.Context, c *grpc.ClientConn, o order, options []grpc.CallOption) error {
	kind := kindOf(o)
	stream, err := c.NewStream(ctx, kind, o.Method, options...)
	if err != nil {
		return err
	}
	for i := 0; i < messages && (i == 0 || kind.ClientStreams); i++ {
		if err := stream.SendMsg(wrapperspb.String("a message")); errors.Is(err, io.EOF) {
			break // the call has ended, and what is received says how
		} else if err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		switch err := stream.RecvMsg(new(wrapperspb.StringValue)); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case !kind.ServerStreams:
			return nil // RecvMsg has waited for the end
		}
	}
}

// leave begins a call, and says over which connection it goes: gRPC does so when a
// call ends, which nobody waits for here.
func leave(ctx context.Context, c *grpc.ClientConn, o order, options []grpc.CallOption) (peer.Peer, error) {
	kind := kindOf(o)
	stream, err := c.NewStream(ctx, kind, o.Method, options...)
	if err != nil {
		return peer.Peer{}, err
	}
	if err := stream.SendMsg(wrapperspb.String("a message")); err != nil {
		return peer.Peer{}, err
	}
	if kind.ServerStreams {
		if !kind.ClientStreams {
			if err := stream.CloseSend(); err != nil {
				return peer.Peer{}, err
			}
		}
		if err := stream.RecvMsg(new(wrapperspb.StringValue)); err != nil {
			return peer.Peer{}, err
		}
	}
	p, ok := peer.FromContext(stream.Context())
	if !ok {
		return peer.Peer{}, errors.New("there is no peer")
	}
	return *p, nil
}
