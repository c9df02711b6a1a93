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
		_ interface{}, ctx context.Context, decode func(interface{}) error,
		intercept grpc.UnaryServerInterceptor,
	) (interface{}, error) {
		message := new(wrapperspb.StringValue)
		if err := decode(message); err != nil {
			return nil, err
		}
		handle := func(ctx context.Context, message interface{}) (interface{}, error) {
			return message, end(ctx)
		}
		if intercept == nil {
			return handle(ctx, message)
		}
		return intercept(ctx, message, &grpc.UnaryServerInfo{}, handle)
	}
	answer := func(_ interface{}, stream grpc.ServerStream) error {
		message := new(wrapperspb.StringValue)
		err := stream.RecvMsg(message)
		for i := 0; i < Messages && err == nil; i++ {
			err = stream.SendMsg(message)
		}
		if err != nil {
			return err
		}
		return end(stream.Context())
	}
	each := Each(func(context.Context, string) error { return nil })
	bidi := func(_ interface{}, stream grpc.ServerStream) error {
		if err := each(nil, stream); err != nil {
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
		last := new(wrapperspb.StringValue)
		keep := func(message *wrapperspb.StringValue) error {
			last = message
			return nil
		}
		if err := receive(stream, keep); err != nil {
			return err
		}
		if err := end(stream.Context()); err != nil {
			return err
		}
		return stream.SendMsg(last)
	}
}

// Each answers each message of a call with the same, once it has been dealt with.
func Each(deal func(ctx context.Context, message string) error) grpc.StreamHandler {
	return func(_ interface{}, stream grpc.ServerStream) error {
		return receive(stream, func(message *wrapperspb.StringValue) error {
			if err := deal(stream.Context(), message.GetValue()); err != nil {
				return err
			}
			return stream.SendMsg(message)
		})
	}
}

// receive deals with the messages of a stream, until there are no more or deal returns io.EOF.
func receive(
	stream interface{ RecvMsg(interface{}) error }, deal func(*wrapperspb.StringValue) error,
) error {
	for {
		message := new(wrapperspb.StringValue)
		err := stream.RecvMsg(message)
		if err == nil {
			err = deal(message)
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
