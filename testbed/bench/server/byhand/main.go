// Command byhand serves with the instrumentation that OpenTelemetry's
// documentation shows for net/http: otelhttp around the handler, and the SDK.
package main

import (
	"context"
	"errors"
	"flag"
	"log"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/spanprobe/spanprobe/testbed/bench/server/hello"
	"github.com/spanprobe/spanprobe/testbed/bench/server/sdk"
)

func main() {
	endpoint := flag.String("otlp", "127.0.0.1:4317", "the collector's OTLP/gRPC `address`")
	flag.Parse()
	if err := serve(context.Background(), *endpoint); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, endpoint string) (err error) {
	stop, err := sdk.Start(ctx, "byhand", endpoint)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return hello.Serve(otelhttp.NewHandler(hello.Handler(), "server"))
}
