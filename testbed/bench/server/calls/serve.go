package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/spanprobe/spanprobe/testbed/bench/server/program"
)

const (
	unaryMethod  = "/bench.Greeter/Hello"
	streamMethod = "/bench.Greeter/Hellos"
	// answers is how many messages a stream has.
	answers = 3
)

// greeter is the service, as protoc's plugin would describe it.
var greeter = grpc.ServiceDesc{
	ServiceName: "bench.Greeter",
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Hello", Handler: hello}},
	Streams:     []grpc.StreamDesc{{StreamName: "Hellos", Handler: hellos, ServerStreams: true}},
}

// hello answers a unary call. No server here has an interceptor.
//
//nolint:revive // grpc.MethodDesc wants the context second
func hello(
	_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor,
) (any, error) {
	name := new(wrapperspb.StringValue)
	if err := decode(name); err != nil {
		return nil, err
	}
	return greet(name), nil
}

func hellos(_ any, stream grpc.ServerStream) error {
	name := new(wrapperspb.StringValue)
	if err := stream.RecvMsg(name); err != nil {
		return err
	}
	for range answers {
		if err := stream.SendMsg(greet(name)); err != nil {
			return err
		}
	}
	return nil
}

func greet(name *wrapperspb.StringValue) *wrapperspb.StringValue {
	return wrapperspb.String("hello " + name.GetValue())
}

func serve(i instrumentation) error {
	server := grpc.NewServer(i.serve...)
	server.RegisterService(&greeter, nil)
	return program.Serve(server.Serve)
}
