package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/spanprobe/spanprobe/testbed/targets/soak/tally"
)

// serve begins to serve, and returns the addresses: of HTTP, and of gRPC.
func serve(counts *tally.Tally) (string, error) {
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	rpc, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	httpServer := &http.Server{Handler: answers{counts}, Protocols: bothVersions(), ErrorLog: log.New(io.Discard, "", 0)}
	grpcServer := grpc.NewServer(grpc.StatsHandler(counter{counts}))
	grpcServer.RegisterService(&service, nil)
	go func() { log.Fatal(httpServer.Serve(web)) }()
	go func() { log.Fatal(grpcServer.Serve(rpc)) }()
	return web.Addr().String() + " " + rpc.Addr().String(), nil
}

func bothVersions() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// answers serves /class/ending.
type answers struct{ counts *tally.Tally }

func (a answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, how, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	class, ok := tally.ClassOf(name)
	if !ok {
		panic("no such path: " + r.URL.Path)
	}
	a.counts.Begin(class)
	err := obey(r.Context(), ending(how))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
	a.counts.End(class, err == nil)
}

// counter counts calls of gRPC where it begins and ends them: what a client has
// given up before its message was read never reaches a handler.
type counter struct{ counts *tally.Tally }

type classKey struct{}

func (c counter) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	class, ok := tally.ClassOf(strings.TrimPrefix(info.FullMethodName, "/"+tally.Service+"/"))
	if !ok {
		panic("no such method: " + info.FullMethodName)
	}
	return context.WithValue(ctx, classKey{}, class)
}

func (c counter) HandleRPC(ctx context.Context, event stats.RPCStats) {
	class := ctx.Value(classKey{}).(tally.Class)
	switch event := event.(type) {
	case *stats.Begin:
		c.counts.Begin(class)
	case *stats.End:
		c.counts.End(class, event.Error == nil)
	}
}

func (counter) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (counter) HandleConn(context.Context, stats.ConnStats)                       {}

// service has a method for each class.
var service = grpc.ServiceDesc{
	ServiceName: tally.Service,
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: tally.Unary.String(), Handler: unary}},
	Streams: []grpc.StreamDesc{
		{StreamName: tally.ServerStream.String(), Handler: serverStream, ServerStreams: true},
		{StreamName: tally.ClientStream.String(), Handler: clientStream, ClientStreams: true},
		{StreamName: tally.BidiStream.String(), Handler: bidiStream, ServerStreams: true, ClientStreams: true},
	},
}

// end ends a call of gRPC as its metadata says.
func end(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	how := md.Get("ending")
	if len(how) != 1 {
		return status.Error(codes.InvalidArgument, "how is it to end?")
	}
	err := obey(ctx, ending(how[0]))
	if errors.Is(err, errFails) {
		return status.Error(codes.Internal, err.Error())
	}
	return status.FromContextError(err).Err()
}

func unary(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // grpc.MethodDesc wants the context second
	message := new(wrapperspb.StringValue)
	if err := decode(message); err != nil {
		return nil, err
	}
	return message, end(ctx)
}

func serverStream(_ any, stream grpc.ServerStream) error {
	message := new(wrapperspb.StringValue)
	if err := stream.RecvMsg(message); err != nil {
		return err
	}
	for range messages {
		if err := stream.SendMsg(message); err != nil {
			return err
		}
	}
	return end(stream.Context())
}

func clientStream(_ any, stream grpc.ServerStream) error {
	message := new(wrapperspb.StringValue)
	for {
		err := stream.RecvMsg(message)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if err := end(stream.Context()); err != nil {
		return err
	}
	return stream.SendMsg(message)
}

func bidiStream(_ any, stream grpc.ServerStream) error {
	message := new(wrapperspb.StringValue)
	for {
		err := stream.RecvMsg(message)
		if errors.Is(err, io.EOF) {
			return end(stream.Context())
		}
		if err != nil {
			return err
		}
		if err := stream.SendMsg(message); err != nil {
			return err
		}
	}
}
