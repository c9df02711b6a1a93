//go:build linux && amd64

package binaries

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// A server of gRPC that may serve with net/http's, and calls other servers.
const grpcSource = "testbed/targets/grpc"

const (
	module  = "google.golang.org/grpc"
	version = "v1.75.0"
)

// requiredGRPC are lines of go.mod.
const requiredGRPC = "\nrequire " + module + " " + version + "\n"

// tracedCall makes a call of a traced server, and compares the span.
func tracedCall(t *testing.T, tracer *tracing.Tracer, server *target.Server) {
	t.Helper()
	before := len(tracer.Spans())
	call(t, server)
	awaited(t, tracer, before, span{
		Scope: scope + module, Name: "testbed.Calls/Unary",
		Attributes: map[string]any{
			"rpc.system.name": "grpc", "rpc.method": "testbed.Calls/Unary",
			"rpc.response.status_code": "OK",
			"server.address":           "shop.example", "server.port": int64(8080),
			"client.address": "127.0.0.1", "network.peer.address": "127.0.0.1",
			"user_agent.original": "test/1 grpc-go/" + grpc.Version,
		},
	})
}

// call makes one of the server.
func call(t *testing.T, server *target.Server) {
	t.Helper()
	client, err := grpc.NewClient("passthrough:///"+server.Address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUserAgent("test/1"), grpc.WithAuthority("shop.example:8080"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), tracing.Patience)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "traceparent", "00-"+traceID+"-"+parentID+"-01")
	if err := client.Invoke(ctx, "/testbed.Calls/Unary", wrapperspb.String("a message"),
		new(wrapperspb.StringValue)); err != nil {
		t.Fatal(err)
	}
}
