// Package engine wires the steps of spanprobe together (discover, inspect,
// plan, attach, ring, assemble, traces) and owns their goroutines, queues and
// counters. It knows nothing of the Collector's component APIs.
package engine

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
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

// InjectMode says whether requests of clients carry the context of their span.
type InjectMode string

// The modes of injection.
const (
	InjectAuto InjectMode = "auto" // they do where the kernel allows it
	InjectOff  InjectMode = "off"
)

// Sampler says which operations are sampled; see sampling.Sampler.
type Sampler = sampling.Sampler

// NewSampler makes one; see sampling.New.
func NewSampler(ratio float64, parentBased bool) (Sampler, error) {
	sampler, err := sampling.New(ratio, parentBased)
	if err != nil {
		return sampler, fmt.Errorf("sampling.ratio: %w", err)
	}
	return sampler, nil
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
	// Inject says whether requests of clients carry the context of their span.
	Inject InjectMode
	// GoroutineAncestry has a call find the request that it is for also where goroutines
	// started it through others, with nothing passed along.
	GoroutineAncestry bool
	// Isolated has no operation look for another that it is for: each begins a trace unless a
	// header says otherwise, and nothing is injected. That is for measuring what the search costs.
	Isolated bool
	// RingBufferSize is the size in bytes of the ring buffer for finished
	// spans: a power of two, and a multiple of the page size.
	RingBufferSize int
	// MaxActiveSpans bounds the operations in flight of one process.
	MaxActiveSpans int
	// ReadInterval is how often the ring buffer is looked at, unless much is
	// waiting; 0 for the default.
	ReadInterval time.Duration
}

const (
	// The page size of amd64, and the smallest of arm64. A machine with larger
	// pages needs more, which Start says.
	minRingBufferSize = 4 << 10
	maxRingBufferSize = 1 << 30
	maxMaxActiveSpans = 1 << 20
)

// Validate joins all that is wrong with the configuration, each with its key in the receiver's. It
// looks at nothing but the configuration: what the machine lacks is Start's to say.
func (c *Config) Validate() error {
	errs := []error{
		discover.ValidateTargets(c.Targets, c.Exclude),
		oneOf("url_query", c.URLQuery, QueryRedact, QueryKeep, QueryDrop),
		oneOf("propagation.inject", c.Inject, InjectAuto, InjectOff),
		oneOf("instrumented", c.Instrumented, InstrumentedSkip, InstrumentedTrace),
	}
	if n := c.RingBufferSize; n < minRingBufferSize || n > maxRingBufferSize ||
		bits.OnesCount(uint(n)) != 1 {
		errs = append(errs, fmt.Errorf("ring_buffer_size: %d is no power of two from %d to %d",
			n, minRingBufferSize, maxRingBufferSize))
	}
	if n := c.MaxActiveSpans; n < 1 || n > maxMaxActiveSpans {
		errs = append(
			errs, fmt.Errorf("max_active_spans: %d is not from 1 to %d", n, maxMaxActiveSpans),
		)
	}
	return errors.Join(errs...)
}

// oneOf checks the value of a key that has a few.
func oneOf[T ~string](key string, value T, values ...T) error {
	if slices.Contains(values, value) {
		return nil
	}
	return fmt.Errorf("%s: %q is none of %q", key, value, values)
}

// checkPage says what is wrong with the size of the ring buffer on a machine with pages of a size.
func (c *Config) checkPage(page int) error {
	if c.RingBufferSize >= page {
		return nil
	}
	return fmt.Errorf(
		"ring_buffer_size: %d is less than a page of this machine, which has %d bytes",
		c.RingBufferSize,
		page,
	)
}

// Settings is what the engine stands on.
type Settings struct {
	Logger    *zap.Logger
	Libraries []probe.Library
	// Tracepoints returns a fresh specification of the programs that report on processes, and of
	// the maps that they share with those of the libraries. listen says whether they report
	// listen(2), too.
	Tracepoints func(listen bool) (*ebpf.CollectionSpec, error)
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
