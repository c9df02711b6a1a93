// Command byhand serves with the instrumentation that OpenTelemetry's
// documentation shows for net/http: otelhttp around the handler, and the SDK
// with its defaults, which exports over OTLP and gRPC.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/testbed/bench/server/hello"
)

// flushTimeout is how long the last spans may take to be exported.
const flushTimeout = 5 * time.Second

func main() {
	endpoint := flag.String("otlp", "127.0.0.1:4317", "the collector's OTLP/gRPC `address`")
	flag.Parse()
	if err := serve(context.Background(), *endpoint); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, endpoint string) (err error) {
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(endpoint), otlptracegrpc.WithInsecure())
	if err != nil {
		return err
	}
	service, err := resource.New(ctx, resource.WithFromEnv(), resource.WithProcess(), resource.WithHost(), resource.WithTelemetrySDK(),
		resource.WithAttributes(semconv.ServiceName("byhand")))
	if err != nil {
		return err
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(service))
	defer func() {
		flush, cancel := context.WithTimeout(ctx, flushTimeout)
		defer cancel()
		err = errors.Join(err, provider.Shutdown(flush))
	}()
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return hello.Serve(otelhttp.NewHandler(hello.Handler(), "server"))
}
