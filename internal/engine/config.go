// Package engine wires the steps of spanprobe together (discover, inspect,
// plan, attach, ring, assemble, traces) and owns their goroutines, queues and
// counters. It knows nothing of the Collector's component APIs.
package engine

import (
	"context"
	"time"

	"github.com/cilium/ebpf"
	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/internal/discover"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/sampling"
	"github.com/spanprobe/spanprobe/internal/traces"
)

// Target selects processes; see discover.Target.
type Target = discover.Target

// QueryMode says what becomes of the query of a traced URL.
type QueryMode = model.QueryMode

// The query modes.
const (
	QueryRedact = model.QueryRedact
	QueryKeep   = model.QueryKeep
	QueryDrop   = model.QueryDrop
)

// InstrumentedMode says what becomes of programs that contain OpenTelemetry's SDK,
// and so may trace themselves.
type InstrumentedMode string

// The modes for such programs.
const (
	InstrumentedSkip  InstrumentedMode = "skip"  // they are left alone
	InstrumentedTrace InstrumentedMode = "trace" // they are traced as all others
)

// Sampler says which operations are sampled; see sampling.Sampler.
type Sampler = sampling.Sampler

// NewSampler makes one; see sampling.New.
func NewSampler(ratio float64, parentBased bool) (Sampler, error) {
	return sampling.New(ratio, parentBased)
}

// ValidateTargets joins all that is wrong with the entries.
func ValidateTargets(targets, exclude []Target) error {
	return discover.ValidateTargets(targets, exclude)
}

// Config is what a user decides.
type Config struct {
	Targets []Target
	Exclude []Target
	// URLQuery says what becomes of url.query.
	URLQuery QueryMode
	// Instrumented says what becomes of programs that contain OpenTelemetry's SDK:
	// they are left alone, unless it is InstrumentedTrace.
	Instrumented InstrumentedMode
	// Sampler says which operations are sampled: all that come without a trace
	// context, and of the others those whose caller samples, if it is the zero value.
	Sampler Sampler
	// Inject has requests of clients carry the context of their span, where the kernel
	// allows it.
	Inject bool
	// GoroutineAncestry has a call find the request that it is for also where goroutines
	// started it through others, with nothing passed along.
	GoroutineAncestry bool
	// Isolated has no operation look for another that it is for: each begins a trace unless
	// a header says otherwise, and nothing is injected. That is for measuring what the search costs.
	Isolated bool
	// RingBufferSize is the size in bytes of the ring buffer for finished
	// spans: a power of two, and a multiple of the page size.
	RingBufferSize int
	// MaxActiveSpans bounds the operations in flight, over all processes.
	MaxActiveSpans int
	// ReadInterval is how often the ring buffer is looked at, unless much is
	// waiting; 0 for the default.
	ReadInterval time.Duration
}

// Settings is what the engine stands on.
type Settings struct {
	Logger    *zap.Logger
	Libraries []probe.Library
	// Tracepoints returns a fresh specification of the programs that report on processes, and of
	// the maps that they share with those of the libraries.
	Tracepoints func() (*ebpf.CollectionSpec, error)
	// Offsets knows where the fields of structs are in released versions.
	Offsets plan.Table
	// Version of spanprobe: the version of the scopes.
	Version string
	// Consume hands spans on. It is called from one goroutine at a time.
	Consume func(context.Context, traces.Traces) error
	// Status reports what goes wrong after Start: an error that may pass, or
	// nil when all is well again. It is called on change only.
	Status func(error)
}
