package testbinary

import (
	"fmt"
	"testing"
)

// SDK is what a program has of OpenTelemetry's SDK for traces.
type SDK string

// What a program may have of it.
const (
	Provider SDK = "provider" // it makes a tracer provider
	Types    SDK = "types"    // it names what the SDK has, calls the API, and makes none
	Fork     SDK = "fork"     // it makes one of a copy with another import path
)

const providing = `package main

import (
	"net/http"

	%s
)

func main() {
	provider := trace.NewTracerProvider()
	http.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) {
		_, span := provider.Tracer("test").Start(r.Context(), "hello")
		span.End()
	})
	panic(http.ListenAndServe("127.0.0.1:0", nil))
}
`

const naming = `package main

import (
	"net/http"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/trace"
)

func main() {
	println(trace.AlwaysSample().Description())
	if provider, ok := otel.GetTracerProvider().(*trace.TracerProvider); ok {
		provider.RegisterSpanProcessor(nil)
	}
	http.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) {
		_, span := otel.Tracer("test").Start(r.Context(), "hello")
		span.End()
	})
	panic(http.ListenAndServe("127.0.0.1:0", nil))
}
`

// fork has the names of the SDK's.
const fork = `package trace

import "context"

type (
	TracerProvider struct{ spans map[string]int }
	Tracer         struct{ spans map[string]int }
	Span           struct{}
)

//go:noinline
func NewTracerProvider() *TracerProvider { return &TracerProvider{map[string]int{}} }

func (p *TracerProvider) Tracer(string) Tracer { return Tracer{p.spans} }

func (t Tracer) Start(ctx context.Context, name string) (context.Context, Span) {
	t.spans[name]++
	return ctx, Span{}
}

func (Span) End() {}
`

// Instrumented compiles a net/http server that has something of OpenTelemetry's
// SDK, of a version ("v1.47.0") that the release of Go can compile.
func Instrumented(t testing.TB, b Build, has SDK, version string) string {
	t.Helper()
	required := module + fmt.Sprintf(
		"\nrequire (\n\tgo.opentelemetry.io/otel %[1]s\n\tgo.opentelemetry.io/otel/sdk %[1]s\n)\n",
		version,
	)
	switch has {
	case Types:
		return Program(t, b, []File{{"main.go", naming}, {"go.mod", required}})
	case Fork:
		return Program(t, b, []File{
			{"main.go", fmt.Sprintf(providing, `"example.com/testserver/telemetry/sdk/trace"`)},
			{"telemetry/sdk/trace/trace.go", fork},
			{"go.mod", module},
		})
	}
	return Program(
		t,
		b,
		[]File{
			{"main.go", fmt.Sprintf(providing, `"go.opentelemetry.io/otel/sdk/trace"`)},
			{"go.mod", required},
		},
	)
}
