// Command byhandcalls is barecalls with the instrumentation that OpenTelemetry's
// documentation shows: otelhttp around the client's transport, otelgrpc's stats
// handlers, and the SDK.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"google.golang.org/grpc"

	"github.com/spanprobe/spanprobe/testbed/bench/server/calls"
	"github.com/spanprobe/spanprobe/testbed/bench/server/sdk"
)

func main() {
	endpoint := flag.String("otlp", "127.0.0.1:4317", "the collector's OTLP/gRPC `address`")
	if err := run(calls.ParseFlags(), *endpoint); err != nil {
		log.Fatal(err)
	}
}

func run(program calls.Program, endpoint string) (err error) {
	stop, err := sdk.Start(context.Background(), "byhandcalls", endpoint)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return program.Run(calls.Instrumentation{
		Transport: func(base http.RoundTripper) http.RoundTripper { return otelhttp.NewTransport(base) },
		Dial:      []grpc.DialOption{grpc.WithStatsHandler(otelgrpc.NewClientHandler())},
		Serve:     []grpc.ServerOption{grpc.StatsHandler(otelgrpc.NewServerHandler())},
	})
}
