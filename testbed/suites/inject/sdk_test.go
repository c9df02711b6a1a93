package inject

import (
	"testing"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

// A program that has the OpenTelemetry SDK, and is not traced, continues the traces of one that
// knows nothing of tracing, where that one's requests can carry them.
func TestAProgramThatTracesItselfContinuesTheTrace(t *testing.T) {
	name, refused := mode(t)
	for _, b := range builds() {
		t.Run(b.String()+" "+name, func(t *testing.T) {
			spans := tracetest.NewInMemoryExporter()
			s := startInstrumented(t, trace.NewTracerProvider(trace.WithSyncer(spans)))
			caller := target.Start(t, target.MustCompile(t, b.Build))
			tracer := start(t, caller, refused)
			for _, form := range []string{"http1", "http2", "unary", "stream"} {
				t.Run(form, func(t *testing.T) {
					o := order{
						Name: "sdk-" + form, Requests: few, AtOnce: 1, Protocol: form,
						TLS: form == "http2" && !b.withoutTLS(),
					}.to(s)
					spans.Reset()
					follow(t, caller, o)
					tracer.Settle(t)
					tracing.Eventually(t, func() bool {
						return len(spans.GetSpans()) == few
					}, "%d spans of the program's own", few)
					sent := spansOf(t, tracer.Spans())
					continued := 0
					for _, its := range spans.GetSpans() {
						path := its.Name
						for _, a := range its.Attributes {
							if a.Key == "url.path" {
								path = a.Value.AsString()
							}
						}
						if path[0] != '/' {
							path = "/" + path
						}
						call, traced := sent[tree.Called(path)]
						switch parent := its.Parent; {
						case !traced:
							t.Errorf("%s has no span", path)
						case !parent.IsValid():
							if !refused && !(order{Protocol: form, expect: afterFirst}).mayLack(1) {
								t.Errorf("%s has no parent", path)
							}
						case refused || parent.TraceID().String() != call.TraceID().String() ||
							parent.SpanID().String() != call.SpanID().String() ||
							!parent.IsRemote():
							t.Errorf("%s is the child of %v, and was sent by %v %v", path, parent,
								call.TraceID(), call.SpanID())
						default:
							continued++
						}
					}
					if !refused && form == "http1" && continued != few {
						t.Errorf("%d of %d traces were continued", continued, few)
					}
					t.Logf("%d of %d traces were continued", continued, few)
				})
			}
		})
	}
}
