package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
	"github.com/spanprobe/spanprobe/testbed/targets/soak/tally"
)

// serve begins to serve, and returns the addresses: of HTTP, and of gRPC.
func serve(counts *tally.Tally) string {
	over := web.Server(answers{counts})
	web.WithoutTLS(over)
	calls := grpc.NewServer(grpc.StatsHandler(counter{counts}))
	calls.RegisterService(rpc.Calls(tally.Service, end), nil)
	addresses := ""
	for _, serve := range []func(net.Listener) error{over.Serve, calls.Serve} {
		listener := web.Listen("tcp", web.Loopback)
		addresses += listener.Addr().String() + " "
		go func() { log.Fatal(serve(listener)) }()
	}
	return addresses
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
