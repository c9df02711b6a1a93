package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
)

// service has each message answered as a request of its name is.
var service = grpc.ServiceDesc{
	ServiceName: "testbed.Parents",
	HandlerType: (*interface{})(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Unary", Handler: unary}},
	Streams: []grpc.StreamDesc{{
		StreamName: "Stream", Handler: stream, ServerStreams: true,
		ClientStreams: true,
	}},
}

//nolint:revive // grpc.MethodDesc wants the context second
func unary(
	_ interface{}, ctx context.Context, decode func(interface{}) error,
	_ grpc.UnaryServerInterceptor,
) (interface{}, error) {
	message := new(wrapperspb.StringValue)
	if err := decode(message); err != nil {
		return nil, err
	}
	return message, serve(ctx, message.GetValue(), 0)
}

func stream(service interface{}, s grpc.ServerStream) error {
	n := 0
	return rpc.Each(func(ctx context.Context, message string) error {
		defer func() { n++ }()
		return serve(ctx, message, n)
	})(service, s)
}
