package main

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// messages is how many a stream from the server has.
const messages = 3

// calls is the service, with a method for each kind of call. What protoc would
// make of it differs from one version of its plugin to the next.
var calls = grpc.ServiceDesc{
	ServiceName: "testbed.Calls",
	HandlerType: (*interface{})(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Unary", Handler: unary}},
	Streams: []grpc.StreamDesc{
		{StreamName: "ServerStream", Handler: serverStream, ServerStreams: true},
		{StreamName: "ClientStream", Handler: clientStream, ClientStreams: true},
		{StreamName: "BidiStream", Handler: bidiStream, ServerStreams: true, ClientStreams: true},
	},
}

// unary answers with what it was sent.
func unary(service interface{}, ctx context.Context, decode func(interface{}) error, interceptor grpc.UnaryServerInterceptor) (interface{}, error) { //nolint:revive // grpc.MethodDesc wants the context second
	message := new(wrapperspb.StringValue)
	if err := decode(message); err != nil {
		return nil, err
	}
	handle := func(ctx context.Context, message interface{}) (interface{}, error) {
		return message, end(ctx)
	}
	if interceptor == nil {
		return handle(ctx, message)
	}
	return interceptor(ctx, message, &grpc.UnaryServerInfo{Server: service, FullMethod: "/testbed.Calls/Unary"}, handle)
}

// serverStream answers with several messages.
func serverStream(_ interface{}, stream grpc.ServerStream) error {
	message := new(wrapperspb.StringValue)
	if err := stream.RecvMsg(message); err != nil {
		return err
	}
	for i := 0; i < messages; i++ {
		if err := stream.SendMsg(message); err != nil {
			return err
		}
	}
	return end(stream.Context())
}

// clientStream answers with the last message, when there are no more.
func clientStream(_ interface{}, stream grpc.ServerStream) error {
	message := new(wrapperspb.StringValue)
	for {
		err := stream.RecvMsg(message)
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
	}
	if err := end(stream.Context()); err != nil {
		return err
	}
	return stream.SendMsg(message)
}

// bidiStream answers each message with the same.
func bidiStream(_ interface{}, stream grpc.ServerStream) error {
	message := new(wrapperspb.StringValue)
	for {
		if err := stream.RecvMsg(message); errors.Is(err, io.EOF) {
			return end(stream.Context())
		} else if err != nil {
			return err
		}
		if err := stream.SendMsg(message); err != nil {
			return err
		}
	}
}

// unregistered answers any method as Unary does.
func unregistered(_ interface{}, stream grpc.ServerStream) error {
	message := new(wrapperspb.StringValue)
	if err := stream.RecvMsg(message); err != nil {
		return err
	}
	if err := end(stream.Context()); err != nil {
		return err
	}
	return stream.SendMsg(message)
}
