package calls

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
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

func hello(service any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // grpc.MethodDesc wants the context second
	name := new(wrapperspb.StringValue)
	if err := decode(name); err != nil {
		return nil, err
	}
	handle := func(context.Context, any) (any, error) { return greet(name), nil }
	if interceptor == nil {
		return handle(ctx, name)
	}
	return interceptor(ctx, name, &grpc.UnaryServerInfo{Server: service, FullMethod: unaryMethod}, handle)
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

// serve serves gRPC on a free port of loopback. It prints the address, and returns
// when standard input is closed.
func serve(i Instrumentation) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer(i.Serve...)
	server.RegisterService(&greeter, nil)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		failed <- err
	}()
	fmt.Println(listener.Addr())
	return <-failed
}
