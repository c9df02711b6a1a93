// Package rpc is what target programs share that speak gRPC. Releases from 1.33 on compile it, with
// old releases of Go: see testbed/harness/target.
package rpc

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Messages is how many a side sends that may send several.
const Messages = 3

// Calls is a service of a name, with a method for each kind of call. A call is answered with what
// its message was, and ends as end says. What protoc would make of it differs from one version of
// its plugin to the next.
func Calls(name string, end func(ctx context.Context) error) *grpc.ServiceDesc {
	unary := func(
		service interface{}, ctx context.Context, decode func(interface{}) error,
		interceptor grpc.UnaryServerInterceptor,
	) (interface{}, error) {
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
		info := &grpc.UnaryServerInfo{Server: service, FullMethod: "/" + name + "/Unary"}
		return interceptor(ctx, message, info, handle)
	}
	answer := func(_ interface{}, stream grpc.ServerStream) error {
		message := new(wrapperspb.StringValue)
		if err := stream.RecvMsg(message); err != nil {
			return err
		}
		for i := 0; i < Messages; i++ {
			if err := stream.SendMsg(message); err != nil {
				return err
			}
		}
		return end(stream.Context())
	}
	bidi := func(_ interface{}, stream grpc.ServerStream) error {
		if err := each(stream, func(*wrapperspb.StringValue) error { return nil }); err != nil {
			return err
		}
		return end(stream.Context())
	}
	return &grpc.ServiceDesc{
		ServiceName: name,
		HandlerType: (*interface{})(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Unary", Handler: unary}},
		Streams: []grpc.StreamDesc{
			{StreamName: "ServerStream", Handler: answer, ServerStreams: true},
			{StreamName: "ClientStream", Handler: Last(end), ClientStreams: true},
			{StreamName: "BidiStream", Handler: bidi, ServerStreams: true, ClientStreams: true},
		},
	}
}

// Last answers a call with the last message, when there are no more, and end has returned.
func Last(end func(ctx context.Context) error) grpc.StreamHandler {
	return func(_ interface{}, stream grpc.ServerStream) error {
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
}

// Each answers each message of a call with the same, once it has been dealt with.
func Each(deal func(ctx context.Context, message string) error) grpc.StreamHandler {
	return func(_ interface{}, stream grpc.ServerStream) error {
		return each(stream, func(message *wrapperspb.StringValue) error {
			return deal(stream.Context(), message.GetValue())
		})
	}
}

func each(stream grpc.ServerStream, deal func(*wrapperspb.StringValue) error) error {
	for {
		message := new(wrapperspb.StringValue)
		if err := stream.RecvMsg(message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := deal(message); err != nil {
			return err
		}
		if err := stream.SendMsg(message); err != nil {
			return err
		}
	}
}
