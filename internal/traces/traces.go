// Package traces makes pdata of spans: one ResourceSpans for each process, one
// ScopeSpans for each library in it.
package traces

import (
	"path"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	otel "go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/internal/model"
)

// Resource is a process as the source of spans.
type Resource = pcommon.Resource

// Traces is a batch of spans.
type Traces = ptrace.Traces

// scopePrefix and the library's name make the name of an instrumentation scope.
const scopePrefix = "github.com/spanprobe/spanprobe/"

const sdkName = "spanprobe"

// NewResource makes the resource of a process. goVersion and host may be empty. What
// the receiver tells by itself no process may say, also where the receiver has nothing
// to tell. Discovery bounds the number of the other attributes.
func NewResource(p *model.Process, goVersion, host, version string) Resource {
	if goVersion != "" {
		goVersion = "go" + goVersion
	}
	r := pcommon.NewResource()
	attributes := r.Attributes()
	own := []model.Attribute{
		attribute(semconv.ServiceNameKey, p.ServiceName),
		model.Int(string(semconv.ProcessPIDKey), int64(p.PID)),
		attribute(semconv.ProcessExecutablePathKey, p.Exe),
		attribute(semconv.ProcessExecutableNameKey, path.Base(p.Exe)),
		attribute(semconv.ProcessRuntimeNameKey, "go"),
		attribute(semconv.ProcessRuntimeVersionKey, goVersion),
		attribute(semconv.ContainerIDKey, p.ContainerID),
		attribute(semconv.HostNameKey, host),
		attribute(semconv.TelemetrySDKNameKey, sdkName),
		attribute(semconv.TelemetrySDKLanguageKey, "go"),
		attribute(semconv.TelemetrySDKVersionKey, version),
	}
	attributes.EnsureCapacity(len(p.Resource) + len(own))
	for key, value := range p.Resource {
		if !slices.ContainsFunc(own, func(a model.Attribute) bool { return a.Key == key }) {
			attributes.PutStr(key, value)
		}
	}
	for _, a := range own {
		switch {
		case a.IsInt:
			attributes.PutInt(a.Key, a.Int)
		case a.Str != "":
			attributes.PutStr(a.Key, a.Str)
		}
	}
	return r
}

// ServiceName is the name of the service that a process belongs to.
func ServiceName(r Resource) string { return text(r, semconv.ServiceNameKey) }

// Executable is the path of what a process runs.
func Executable(r Resource) string { return text(r, semconv.ProcessExecutablePathKey) }

func text(r Resource, key otel.Key) string {
	if value, ok := r.Attributes().Get(string(key)); ok {
		return value.AsString()
	}
	return ""
}

// attribute makes an attribute of what may be any bytes, such as a path: one string
// that is not UTF-8 makes a backend refuse the whole batch.
func attribute(key otel.Key, value string) model.Attribute {
	return model.String(string(key), strings.ToValidUTF8(value, "\uFFFD"))
}

// Builder collects spans into one ptrace.Traces. It is not safe for concurrent
// use.
type Builder struct {
	version string // of spanprobe: the scopes' version
	traces  Traces
	count   int
	scopes  map[scopeKey]ptrace.SpanSlice
	process map[Resource]ptrace.ResourceSpans
}

type scopeKey struct {
	resource Resource
	library  string
}

// NewBuilder makes an empty builder.
func NewBuilder(version string) *Builder {
	b := &Builder{version: version}
	b.reset()
	return b
}

func (b *Builder) reset() {
	b.traces, b.count = ptrace.NewTraces(), 0
	b.scopes = map[scopeKey]ptrace.SpanSlice{}
	b.process = map[Resource]ptrace.ResourceSpans{}
}

// Add adds a span of a process, whose resource is from NewResource.
func (b *Builder) Add(resource Resource, span *model.Span) {
	fill(b.spans(resource, span.Library).AppendEmpty(), span)
	b.count++
}

// Len is the number of spans that were added since the last Take.
func (b *Builder) Len() int { return b.count }

// Services counts them by service.
func (b *Builder) Services() map[string]int {
	services := map[string]int{}
	for key, spans := range b.scopes {
		services[ServiceName(key.resource)] += spans.Len()
	}
	return services
}

// Take returns what was added, and starts anew.
func (b *Builder) Take() Traces {
	defer b.reset()
	return b.traces
}

func (b *Builder) spans(resource Resource, library string) ptrace.SpanSlice {
	key := scopeKey{resource, library}
	spans, ok := b.scopes[key]
	if ok {
		return spans
	}
	process, ok := b.process[resource]
	if !ok {
		process = b.traces.ResourceSpans().AppendEmpty()
		process.SetSchemaUrl(semconv.SchemaURL)
		resource.CopyTo(process.Resource())
		b.process[resource] = process
	}
	scope := process.ScopeSpans().AppendEmpty()
	scope.SetSchemaUrl(semconv.SchemaURL)
	scope.Scope().SetName(scopePrefix + library)
	scope.Scope().SetVersion(b.version)
	b.scopes[key] = scope.Spans()
	return scope.Spans()
}

// flagHasIsRemote and flagIsRemote are SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK and
// SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK of opentelemetry/proto/trace/v1/trace.proto.
const (
	flagHasIsRemote = 0x100
	flagIsRemote    = 0x200
)

func fill(to ptrace.Span, span *model.Span) {
	to.SetTraceID(span.TraceID)
	to.SetSpanID(span.SpanID)
	to.SetParentSpanID(span.ParentID)
	flags := uint32(span.Flags) | flagHasIsRemote
	if span.RemoteParent {
		flags |= flagIsRemote
	}
	to.SetFlags(flags)
	to.TraceState().FromRaw(span.TraceState)
	to.SetKind(ptrace.SpanKind(span.Kind))
	to.SetName(span.Name)
	to.SetStartTimestamp(pcommon.Timestamp(span.Start))
	to.SetEndTimestamp(pcommon.Timestamp(span.End))
	to.Status().SetCode(ptrace.StatusCode(span.Status))
	to.Status().SetMessage(span.StatusMessage)
	attributes := to.Attributes()
	attributes.EnsureCapacity(len(span.Attributes))
	for i := range span.Attributes {
		a := &span.Attributes[i]
		if a.IsInt {
			attributes.PutInt(a.Key, a.Int)
		} else {
			attributes.PutStr(a.Key, a.Str)
		}
	}
}
