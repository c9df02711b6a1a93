// Command sdk makes requests and traces them itself, with the OpenTelemetry SDK. It reads one
// order a line, a protocol ("http" or "grpc"), an address and a path, and answers with the trace and the span
// that it has told the server of.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func main() {
	spans := tracetest.NewInMemoryExporter()
	otel.SetTracerProvider(trace.NewTracerProvider(trace.WithSyncer(spans)))
	otel.SetTextMapPropagator(propagation.TraceContext{})
	web := &http.Client{Transport: otelhttp.NewTransport(http.DefaultTransport)}
	rpc := map[string]*grpc.ClientConn{}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var protocol, address, path string
		if _, err := fmt.Sscan(lines.Text(), &protocol, &address, &path); err != nil {
			panic(err)
		}
		spans.Reset()
		var err error
		if protocol == "http" {
			err = get(web, "http://"+address+path)
		} else {
			err = invoke(rpc, address, path)
		}
		if err != nil {
			panic(err)
		}
		sent := spans.GetSpans()[0].SpanContext
		fmt.Println(sent.TraceID(), sent.SpanID())
	}
}

func get(client *http.Client, url string) error {
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

func invoke(open map[string]*grpc.ClientConn, address, path string) error {
	if open[address] == nil {
		c, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithStatsHandler(otelgrpc.NewClientHandler()))
		if err != nil {
			return err
		}
		open[address] = c
	}
	return open[address].Invoke(context.Background(), path, wrapperspb.String("a message"), new(wrapperspb.StringValue))
}
