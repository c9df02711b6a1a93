// Package tree compares the spans of a test with what happened: which of them
// there must be, and which is the parent of which. What it says of a difference
// names the span, the parent that it should have and the one that it has, and
// draws the traces that these are in.
package tree

import (
	"net/url"
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// Want is a span that there must be.
type Want struct {
	// Name is what a Namer calls the span; no other has it.
	Name string
	// Parent is the name of the parent; "": the span is the root of a trace of its own.
	Parent string
	// OrNone says that the span may be a root too: what caused it cannot be
	// known for certain.
	OrNone bool
	// While says that a parent counts only if it had not ended when the span began.
	While bool
	// Optional says that the span may be missing.
	Optional bool
	// Remote is a parent that is no span of the test's, instead of Parent.
	Remote Remote
}

// Remote is a parent in hexadecimal digits, as traceparent has it.
type Remote struct{ Trace, Span string }

// Namer gives a span a name that tells it from all others of a test; "": it is
// not to be compared.
type Namer func(tracing.Span) string

// Target names a span by its kind, and the path or gRPC method that it is of.
func Target(s tracing.Span) string {
	attributes := s.Values()
	for _, key := range []string{"url.path", "url.full", "rpc.method_original", "rpc.method"} {
		text, ok := attributes[key].(string)
		if !ok {
			continue
		}
		if key == "url.full" {
			full, err := url.Parse(text)
			if err != nil {
				continue
			}
			text = full.Path
		}
		return Name(s.Kind(), text)
	}
	return ""
}

// Name is the name of the span of a kind of a path or gRPC method.
func Name(kind ptrace.SpanKind, target string) string {
	return strings.ToUpper(kind.String()) + " /" + strings.TrimPrefix(target, "/")
}

// Served is the name of the SERVER span of a path or gRPC method.
func Served(target string) string { return Name(ptrace.SpanKindServer, target) }

// Called is the name of its CLIENT span.
func Called(target string) string { return Name(ptrace.SpanKindClient, target) }
