// Package tree compares the spans of a test with what happened: which of them
// there must be, and which is the parent of which. What it says of a difference
// names the span, the parent that it should have and the one that it has, and
// draws the traces that these are in.
package tree

import (
	"net/url"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
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

// outcome is what became of a span that is wanted, or what one is that came.
type outcome int

const (
	right  outcome = iota
	spared         // it has no parent, and need not have one
	orphaned
	misled // it has a wrong parent, or one that it should not have
	strayed
	absent
	repeated
	unknown
	outcomes
)

var outcomeNames = [outcomes]string{
	right: "right", spared: "right without a parent", orphaned: "WITHOUT THE PARENT",
	misled: "WITH A WRONG PARENT", strayed: "IN A WRONG TRACE", absent: "MISSING",
	repeated: "MORE THAN ONCE", unknown: "UNEXPECTED",
}

// difference is one span that is not as wanted.
type difference struct {
	outcome outcome
	name    string
	want    *Want
	got     *tracing.Span
}

// Report is what a comparison found.
type Report struct {
	counts      [outcomes]int
	differences []difference
	forest      *Forest
}

// OK tells whether all is as wanted.
func (r *Report) OK() bool { return len(r.differences) == 0 }

// WithoutParent is how many spans have no parent although what caused them is known:
// those that must have one, and those of which it is left open.
func (r *Report) WithoutParent() (wrongly, rightly int) {
	return r.counts[orphaned], r.counts[spared]
}

// Compare compares the spans of paths and methods that begin with a text with what
// is wanted of these.
func (f *Forest) Compare(under string, wants []Want) *Report {
	r := &Report{forest: f}
	wanted := map[string]bool{}
	for i := range wants {
		want := &wants[i]
		wanted[want.Name] = true
		found := f.named[want.Name]
		switch {
		case len(found) == 0 && want.Optional:
		case len(found) == 0:
			r.add(absent, want, want.Name, nil)
		default:
			r.add(r.judge(want, found[0]), want, want.Name, found[0])
			for _, again := range found[1:] {
				r.add(repeated, want, want.Name, again)
			}
		}
	}
	for i := range f.all {
		name := f.names[f.all[i].SpanID()]
		if _, target, ok := strings.Cut(name, " "); ok && strings.HasPrefix(target, under) &&
			!wanted[name] {
			r.add(unknown, nil, name, &f.all[i])
		}
	}
	return r
}

// WithWrongParent is how many spans have a parent that they should not have.
func (r *Report) WithWrongParent() int { return r.counts[misled] }

func (r *Report) add(o outcome, want *Want, name string, got *tracing.Span) {
	r.counts[o]++
	if o != right && o != spared {
		r.differences = append(r.differences, difference{o, name, want, got})
	}
}

// judge compares the parent and the trace of a span.
func (r *Report) judge(want *Want, got *tracing.Span) outcome {
	remote, root := want.Remote != (Remote{}), got.ParentSpanID().IsEmpty()
	parent := r.forest.spans[got.ParentSpanID()]
	switch {
	case root && remote:
		return orphaned
	case root && r.forest.roots[got.TraceID()] > 1:
		return strayed
	case root && want.Parent == "":
		return right
	case root && want.OrNone:
		return spared
	case root:
		return orphaned
	case remote && got.ParentSpanID().String() != want.Remote.Span:
		return misled
	case remote && got.TraceID().String() != want.Remote.Trace:
		return strayed
	case remote:
		return right
	case parent == nil || r.forest.names[parent.SpanID()] != want.Parent || want.Parent == "":
		return misled
	case want.While && parent.EndTimestamp() < got.StartTimestamp():
		return misled
	case parent.TraceID() != got.TraceID():
		return strayed
	}
	return right
}

// Forest is the traces of a test.
type Forest struct {
	all    []tracing.Span
	spans  map[pcommon.SpanID]*tracing.Span
	names  map[pcommon.SpanID]string
	named  map[string][]*tracing.Span
	traces map[pcommon.TraceID][]*tracing.Span
	roots  map[pcommon.TraceID]int
}

// New puts all spans of a test together.
func New(spans []tracing.Span, name Namer) *Forest {
	f := &Forest{
		all:    spans,
		spans:  map[pcommon.SpanID]*tracing.Span{},
		names:  map[pcommon.SpanID]string{},
		named:  map[string][]*tracing.Span{},
		traces: map[pcommon.TraceID][]*tracing.Span{},
		roots:  map[pcommon.TraceID]int{},
	}
	for i := range spans {
		s := &spans[i]
		f.spans[s.SpanID()] = s
		if called := name(*s); called != "" {
			f.names[s.SpanID()] = called
			f.named[called] = append(f.named[called], s)
		}
		f.traces[s.TraceID()] = append(f.traces[s.TraceID()], s)
		if s.ParentSpanID().IsEmpty() {
			f.roots[s.TraceID()]++
		}
	}
	return f
}
