package main

import (
	"context"
	"net"
	"net/http"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
	"github.com/spanprobe/spanprobe/testbed/targets/soak/tally"
)

// server serves calls, and counts them.
type server struct{ counts *tally.Tally }

// serve begins to serve, and returns the addresses: of HTTP, and of gRPC.
func (s server) serve() string {
	over := web.Server(s)
	web.WithoutTLS(over)
	calls := grpc.NewServer(grpc.StatsHandler(s))
	calls.RegisterService(rpc.Calls(tally.Service, end), nil)
	addresses := ""
	for _, serve := range []func(net.Listener) error{over.Serve, calls.Serve} {
		addresses += web.Serve("tcp", web.Loopback, serve) + " "
	}
	return addresses
}

// ServeHTTP serves /class/ending.
func (s server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, how, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	class := classOf(name)
	s.counts.Begin(class)
	err := obey(r.Context(), ending(how))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
	s.counts.End(class, err == nil)
}

func classOf(name string) tally.Class {
	class, ok := tally.ClassOf(name)
	if !ok {
		panic("no such class: " + name)
	}
	return class
}

type classKey struct{}

// TagRPC and HandleRPC count calls of gRPC where it begins and ends them: what a client has
// given up before its message was read never reaches a handler.
func (server) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	method := strings.TrimPrefix(info.FullMethodName, "/"+tally.Service+"/")
	return context.WithValue(ctx, classKey{}, classOf(method))
}

func (s server) HandleRPC(ctx context.Context, event stats.RPCStats) {
	class := ctx.Value(classKey{}).(tally.Class)
	switch event := event.(type) {
	case *stats.Begin:
		s.counts.Begin(class)
	case *stats.End:
		s.counts.End(class, event.Error == nil)
	}
}

func (server) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (server) HandleConn(context.Context, stats.ConnStats)                       {}

// end ends a call of gRPC as its metadata says.
func end(ctx context.Context) error {
	return obey(ctx, ending(metadata.ValueFromIncomingContext(ctx, "ending")[0]))
}
