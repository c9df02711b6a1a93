//go:build byhand

package program

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// flushTimeout is how long the last spans may take to be exported.
const flushTimeout = 5 * time.Second

var endpoint = flag.String("otlp", "127.0.0.1:4317", "the collector's OTLP/gRPC `address`")

// It is as OpenTelemetry's documentation shows: with the SDK's defaults, and an exporter over
// OTLP and gRPC. The service has the name of the program's file.
func init() {
	startSDK = func() (stop func() error, err error) {
		ctx := context.Background()
		exporter, err := otlptracegrpc.New(ctx,
			otlptracegrpc.WithEndpoint(*endpoint), otlptracegrpc.WithInsecure())
		if err != nil {
			return nil, err
		}
		described, err := resource.New(ctx,
			resource.WithFromEnv(), resource.WithProcess(), resource.WithHost(),
			resource.WithTelemetrySDK(),
			resource.WithAttributes(semconv.ServiceName(filepath.Base(os.Args[0]))))
		if err != nil {
			return nil, err
		}
		provider := trace.NewTracerProvider(
			trace.WithBatcher(exporter), trace.WithResource(described))
		otel.SetTracerProvider(provider)
		otel.SetTextMapPropagator(propagation.TraceContext{})
		return func() error {
			flush, cancel := context.WithTimeout(ctx, flushTimeout)
			defer cancel()
			return provider.Shutdown(flush)
		}, nil
	}
}
