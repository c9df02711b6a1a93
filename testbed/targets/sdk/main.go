// Command sdk makes requests and traces them itself, with the OpenTelemetry SDK. It reads orders: a
// protocol ("http" or "grpc"), an address and a path. It answers each with the trace and the span
// that it has told the server of.
package main

import (
	"context"
	"fmt"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/lines"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

func main() {
	spans := tracetest.NewInMemoryExporter()
	otel.SetTracerProvider(trace.NewTracerProvider(trace.WithSyncer(spans)))
	otel.SetTextMapPropagator(propagation.TraceContext{})
	client := &http.Client{Transport: otelhttp.NewTransport(http.DefaultTransport)}
	var open rpc.Kept
	lines.Serve("ready", func(line string) interface{} {
		var protocol, address, path string
		if _, err := fmt.Sscan(line, &protocol, &address, &path); err != nil {
			panic(err)
		}
		spans.Reset()
		var err error
		if protocol == "http" {
			_, err = web.Get(context.Background(), client, "http://"+address+path)
		} else {
			c := open.Get(address, func() *grpc.ClientConn {
				return rpc.Connect(address, rpc.Secrets(false),
					grpc.WithStatsHandler(otelgrpc.NewClientHandler()))
			})
			err = rpc.Invoke(context.Background(), c, path, "a message")
		}
		if err != nil {
			panic(err)
		}
		sent := spans.GetSpans()[0].SpanContext
		return fmt.Sprint(sent.TraceID(), " ", sent.SpanID())
	})
}
