//go:build linux && (amd64 || arm64)

package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/internal/assemble"
	"github.com/spanprobe/spanprobe/internal/attach"
	"github.com/spanprobe/spanprobe/internal/discover"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/ring"
)

const (
	// maxBinaries bounds the binaries that are attached at one time.
	maxBinaries = 1024
	// defaultReadInterval is how often the ring buffer of spans is looked at. Each
	// look wakes a whole Go program: five times as many cost half as much CPU time
	// again at 8,000 spans a second.
	defaultReadInterval = 500 * time.Millisecond
	// consumerGrace is how long a shutdown lets the next consumer finish what it is busy with.
	consumerGrace = 5 * time.Second
	// scanInterval is how often /proc is scanned for what no event told of.
	scanInterval = 10 * time.Second
)

// Engine traces the processes that its configuration selects, from Start to
// Shutdown. Engines side by side do not know of each other.
type Engine struct {
	config   Config
	settings Settings

	kernel    *attach.Kernel
	spans     *spanReader
	control   *controller
	registry  *registry
	counts    *counts
	readers   []*ring.Reader
	waitGroup sync.WaitGroup
	stop      chan struct{} // closed when the controller is to end

	// abandon ends what the next consumer is busy with.
	abandon context.CancelFunc

	mu    sync.Mutex
	phase phase
	final *Stats // set by Shutdown
}

type phase uint8

const (
	phaseNew phase = iota
	phaseRunning
	phaseStopping
	phaseStopped
)

// New makes an engine that does nothing yet.
func New(config Config, settings Settings) (*Engine, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return &Engine{config: config, settings: settings}, nil
}

// Start checks what the machine offers, loads the programs and begins to trace
// in the background. It undoes its work when it fails. The context bounds
// Start alone.
func (e *Engine) Start(ctx context.Context) (err error) {
	if err := e.config.checkPage(os.Getpagesize()); err != nil {
		return err
	}
	if err := attach.CheckRequirements(); err != nil {
		return fmt.Errorf("spanprobe cannot run here: %w", err)
	}
	finder, err := discover.New(
		discover.Config{Targets: e.config.Targets, Exclude: e.config.Exclude, Self: os.Getpid()},
	)
	if err != nil {
		return err
	}
	wallOffset, err := assemble.WallOffset()
	if err != nil {
		return err
	}
	if e.settings.Libraries, err = e.libraries(); err != nil {
		return err
	}
	e.kernel, err = attach.Load(e.settings.Tracepoints, e.settings.Libraries, attach.Options{
		RingBufferSize:    e.config.RingBufferSize,
		MaxActive:         e.config.MaxActiveSpans,
		MaxBinaries:       maxBinaries,
		Listen:            selectsByPort(e.config),
		SamplingThreshold: uint64(e.config.Sampler.Threshold),
		OwnState:          e.config.Sampler.RootState(),
		Isolated:          e.config.Isolated,
		IgnoreParent:      e.config.Sampler.IgnoreParent,
	})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.kernel.Close())
		}
	}()
	spans, err := ring.New(e.kernel.Spans())
	if err != nil {
		return err
	}
	events, err := ring.New(e.kernel.Events())
	if err != nil {
		return errors.Join(err, spans.Close())
	}
	if err := ctx.Err(); err != nil {
		return errors.Join(err, spans.Close(), events.Close())
	}

	e.counts = newCounts()
	e.registry = newRegistry()
	e.stop = make(chan struct{})
	e.readers = []*ring.Reader{events, spans}
	consuming, abandon := context.WithCancel(context.Background())
	e.abandon = abandon
	e.control = newController(
		e.config,
		e.settings,
		loadedKernel{e.kernel},
		finder,
		e.registry,
		e.counts,
		e.snapshot,
	)
	assembler := assemble.New(
		e.settings.Libraries, probe.DecodeOptions{Query: e.config.URLQuery}, e.config.Sampler,
	)
	e.spans = newSpanReader(
		consuming, e.settings, assembler, e.registry, e.counts, e.control.requestHooks, wallOffset,
	)
	e.run("spans", func() error {
		defer e.spans.finish()
		return spans.Run(
			cmp.Or(e.config.ReadInterval, defaultReadInterval),
			e.spans.handle,
			e.spans.drained,
		)
	})
	e.run("events", func() error {
		return events.Run(
			scanInterval,
			func(record []byte) { e.control.event(record, e.stop) },
			func() {},
		)
	})
	e.waitGroup.Go(func() { e.control.run(e.stop) })
	e.mu.Lock()
	e.phase = phaseRunning
	e.mu.Unlock()
	return nil
}

// libraries are those that are wanted, and whose programs may be loaded here.
func (e *Engine) libraries() ([]probe.Library, error) {
	injects, err := e.mayInject()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(e.settings.Libraries), func(l probe.Library) bool {
		return l.Option == probe.Inject && !injects ||
			l.Option == probe.GoroutineAncestry && !e.config.GoroutineAncestry
	}), nil
}

func (e *Engine) mayInject() (bool, error) {
	if e.config.Inject != InjectAuto {
		return false, nil
	}
	refusal, err := attach.CheckWrites()
	if err != nil || refusal == "" {
		return err == nil, err
	}
	e.settings.Logger.Info("Requests to other hosts carry no trace context: " + refusal +
		". On this host, traces are whole all the same. propagation.inject: off says that this is as you want it")
	return false, nil
}

// run runs a reader. Its failure is reported, and stays so: what it does not
// read any more is lost, and counted as such by the programs.
func (e *Engine) run(name string, read func() error) {
	e.waitGroup.Go(func() {
		if err := read(); err != nil {
			e.settings.Logger.Error(
				"A ring buffer cannot be read any more",
				zap.String("ring_buffer", name),
				zap.Error(err),
			)
			err = fmt.Errorf("the ring buffer of %s cannot be read any more: %w", name, err)
			e.control.health.readerFailed(err)
		}
	})
}

// Shutdown takes every probe out, hands the spans that are left to the consumer
// and waits for everything that Start began. A consumer that is still busy after
// consumerGrace, or when ctx ends, is told to give up: the spans that it does not
// take are counted as lost (LostRefused). A read of a target's memory may outlive it: that
// takes as long as the target makes it take. It is safe before Start, after a
// Start that failed, and twice. Operations still in flight are counted as lost.
func (e *Engine) Shutdown(ctx context.Context) error {
	if !e.enter(phaseRunning, phaseStopping) {
		return nil
	}
	defer e.abandon()
	defer context.AfterFunc(ctx, e.abandon)()
	defer time.AfterFunc(consumerGrace, e.abandon).Stop()
	var errs []error
	close(e.stop)
	<-e.control.done // the probes are out: nothing is written any more
	for _, r := range e.readers {
		errs = append(errs, r.Stop())
	}
	e.waitGroup.Wait()
	left, _, err := e.kernel.Sweep(func(int, uint32) bool { return true })
	e.control.book.countSwept(left, LostShutdown)
	stats, statsErr := e.snapshot()
	e.mu.Lock()
	e.phase = phaseStopped
	if statsErr == nil {
		e.final = &stats
		e.settings.Logger.Info(
			"Tracing has ended",
			zap.Uint64("operations", stats.Operations),
			zap.Uint64("spans", stats.Emitted),
			zap.Uint64(
				"not_sampled",
				stats.NotSampled,
			),
			zap.Uint64("discarded", stats.Discarded),
			zap.Any("lost", stats.Lost),
		)
	}
	e.mu.Unlock()
	return errors.Join(append(errs, err, statsErr, e.kernel.Close())...)
}

// enter goes from one phase to another, if it is in that one.
func (e *Engine) enter(from, to phase) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.phase != from {
		return false
	}
	e.phase = to
	return true
}

// Stats returns the counters as they are now, or as they were when the engine
// was shut down.
func (e *Engine) Stats() (Stats, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.final != nil:
		return *e.final, nil
	case e.phase == phaseNew:
		return Stats{}, nil
	case e.phase == phaseStopped:
		return Stats{}, errors.New("the counters could not be read when the engine was shut down")
	}
	return e.snapshot()
}

// snapshot adds up what the kernel and the engine counted.
func (e *Engine) snapshot() (Stats, error) {
	if err := e.control.book.look(); err != nil {
		return Stats{}, err
	}
	kernel, err := e.kernel.Counters()
	if err != nil {
		return Stats{}, err
	}
	stats := e.counts.stats()
	stats.AddKernel(&kernel)
	return stats, nil
}

func selectsByPort(config Config) bool {
	for _, entries := range [][]Target{config.Targets, config.Exclude} {
		for _, entry := range entries {
			if entry.Port != 0 {
				return true
			}
		}
	}
	return false
}
