package main

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// others are connections to other servers.
var others = struct {
	sync.Mutex
	known map[string]*grpc.ClientConn
}{known: map[string]*grpc.ClientConn{}}

func other(address string) (*grpc.ClientConn, error) {
	others.Lock()
	defer others.Unlock()
	if c := others.known[address]; c != nil {
		return c, nil
	}
	c, err := grpc.Dial(address, grpc.WithInsecure()) //nolint:staticcheck // deprecated both, but all releases have them
	if err == nil {
		others.known[address] = c
	}
	return c, err
}

// forward makes the call that a handler has got to another server.
func forward(ctx context.Context, ending string) error {
	c, err := other(value(ctx, "to"))
	if err != nil {
		return err
	}
	method, ok := grpc.Method(ctx)
	if !ok {
		return status.Error(codes.Internal, "the call has no method")
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "ending", ending)
	return c.Invoke(ctx, method, wrapperspb.String("a message"), new(wrapperspb.StringValue))
}
