package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
)

var others rpc.Kept // connections to other servers

// forward makes the call that a handler has got to another server.
func forward(ctx context.Context, ending string) error {
	to := value(ctx, "to")
	c := others.Get(to, func() *grpc.ClientConn { return rpc.Connect(to, rpc.Secrets(false)) })
	method, ok := grpc.Method(ctx)
	if !ok {
		return status.Error(codes.Internal, "the call has no method")
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "ending", ending)
	return rpc.Invoke(ctx, c, method, "a message")
}
