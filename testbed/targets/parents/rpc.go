package main

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// service has each message answered as a request of its name is.
var service = grpc.ServiceDesc{
	ServiceName: "testbed.Parents",
	HandlerType: (*interface{})(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Unary", Handler: unary}},
	Streams:     []grpc.StreamDesc{{StreamName: "Stream", Handler: stream, ServerStreams: true, ClientStreams: true}},
}

func unary(_ interface{}, ctx context.Context, decode func(interface{}) error, _ grpc.UnaryServerInterceptor) (interface{}, error) { //nolint:revive // grpc.MethodDesc wants the context second
	message := new(wrapperspb.StringValue)
	if err := decode(message); err != nil {
		return nil, err
	}
	return message, serve(ctx, message.GetValue(), 0)
}

func stream(_ interface{}, s grpc.ServerStream) error {
	for n := 0; ; n++ {
		message := new(wrapperspb.StringValue)
		if err := s.RecvMsg(message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := serve(s.Context(), message.GetValue(), n); err != nil {
			return err
		}
		if err := s.SendMsg(message); err != nil {
			return err
		}
	}
}
