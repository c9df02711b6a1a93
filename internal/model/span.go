package model

// SpanKind is the kind of a span, with OTLP's numbers.
type SpanKind uint8

// The kinds, numbered as in opentelemetry/proto/trace/v1/trace.proto.
const (
	KindInternal SpanKind = 1
	KindServer   SpanKind = 2
	KindClient   SpanKind = 3
)

// StatusCode is the status of a span, with OTLP's numbers.
type StatusCode uint8

// The status codes, numbered as in opentelemetry/proto/trace/v1/trace.proto.
const (
	StatusUnset StatusCode = 0
	StatusOK    StatusCode = 1
	StatusError StatusCode = 2
)

// Attribute is one attribute of a span: a string, or an integer when IsInt.
type Attribute struct {
	Key   string
	Str   string
	Int   int64
	IsInt bool
}

// String makes a string attribute.
func String(key, value string) Attribute { return Attribute{Key: key, Str: value} }

// Int makes an integer attribute.
func Int(key string, value int64) Attribute { return Attribute{Key: key, Int: value, IsInt: true} }

// Span is one finished operation of a traced process.
type Span struct {
	PID        uint32 // of the process it happened in, host pid namespace
	Generation uint32 // tells two programs apart that ran under one pid

	Library string // name of the library that made it; the suffix of its scope name
	// MissesHooks says that hooks on demand would have told more.
	MissesHooks bool

	TraceID      [16]byte
	SpanID       [8]byte
	ParentID     [8]byte // zero: no parent
	Flags        uint8   // W3C trace flags
	RemoteParent bool    // the parent came over the wire
	TraceState   string  // W3C tracestate, whole entries only

	Kind          SpanKind
	Name          string
	Start         uint64 // nanoseconds since the epoch
	End           uint64 // nanoseconds since the epoch
	Status        StatusCode
	StatusMessage string

	Attributes []Attribute
}
