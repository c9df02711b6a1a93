package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
)

// unary answers a call as a request of its message's name is.
func unary(
	ctx context.Context, message interface{}, _ *grpc.UnaryServerInfo, _ grpc.UnaryHandler,
) (interface{}, error) {
	return message, serve(ctx, message.(*wrapperspb.StringValue).GetValue(), 0)
}

// stream answers each message of a call so.
func stream(
	service interface{}, s grpc.ServerStream, _ *grpc.StreamServerInfo, _ grpc.StreamHandler,
) error {
	n := 0
	return rpc.Each(func(ctx context.Context, message string) error {
		defer func() { n++ }()
		return serve(ctx, message, n)
	})(service, s)
}
