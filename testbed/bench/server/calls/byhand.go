//go:build byhand

package main

import (
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"google.golang.org/grpc"
)

// As OpenTelemetry's documentation shows: otelhttp around the client's transport, and
// otelgrpc's stats handlers.
func init() {
	instrument = func(transport http.RoundTripper) (
		http.RoundTripper, []grpc.DialOption, []grpc.ServerOption,
	) {
		return otelhttp.NewTransport(transport),
			[]grpc.DialOption{grpc.WithStatsHandler(otelgrpc.NewClientHandler())},
			[]grpc.ServerOption{grpc.StatsHandler(otelgrpc.NewServerHandler())}
	}
}
