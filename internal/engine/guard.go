//go:build linux && (amd64 || arm64)

package engine

import (
	"errors"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// probes are those of one executable, with the open file that they are in.
type probes struct {
	attachment
	file  leasedFile
	guard *guard

	yielded atomic.Bool // to a writer
	removal sync.Once
	err     error // of the removal
}

// remove takes the probes out, and only then lets a writer at the file. Whoever calls it waits
// until that is done, and gets the same error.
func (p *probes) remove() error {
	p.removal.Do(func() {
		p.guard.drop(p)
		p.err = errors.Join(p.attachment.Close(), p.file.close())
	})
	return p.err
}

// guard answers the writers who wait for the leases of attached files: it has the probes taken
// out. Its goroutine does nothing else, and waits for nobody: a writer must be answered while
// the controller is busy, or else gets the file with the probes in it (Lease in internal/attach).
type guard struct {
	logger  *zap.Logger
	yielded chan struct{} // tells the controller that there are probes that have yielded

	mu      sync.Mutex
	guarded map[*probes]bool
}

func newGuard(logger *zap.Logger) *guard {
	return &guard{
		logger: logger, yielded: make(chan struct{}, 1), guarded: map[*probes]bool{},
	}
}

// start begins to answer writers. The result ends that, when no lease is held any more.
func (g *guard) start() (stop func()) {
	signals, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGIO)
	var answering sync.WaitGroup
	answering.Go(func() { g.answer(signals, ended) })
	return func() {
		close(ended)
		answering.Wait()
		signal.Stop(signals)
	}
}

// answer looks at the leases whenever the kernel says so, and from time to time.
func (g *guard) answer(signals <-chan os.Signal, ended <-chan struct{}) {
	again := time.NewTicker(housekeepingInterval)
	defer again.Stop()
	for {
		select {
		case <-ended:
			return
		case <-signals:
		case <-again.C:
		}
		g.look()
	}
}

func (g *guard) look() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for p := range g.guarded {
		g.lookAt(p)
	}
}

// add guards the file of probes that are in. A writer may wait for it already.
func (g *guard) add(p *probes) {
	if !p.file.leased {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.guarded[p] = true
	g.lookAt(p)
}

func (g *guard) drop(p *probes) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.guarded, p)
}

// lookAt has probes taken out that a writer waits for, in the background: their file may keep
// whoever takes them out waiting. The controller does it again, and reports the outcome.
func (g *guard) lookAt(p *probes) {
	waits, err := p.file.writerWaits()
	if err != nil {
		g.logger.Error("A lease cannot be looked at; the binary is detached",
			zap.String("file", p.file.Name()), zap.Error(err))
	}
	if !waits && err == nil {
		return
	}
	delete(g.guarded, p)
	p.yielded.Store(true)
	go p.remove() //nolint:errcheck // the controller gets the same error
	select {
	case g.yielded <- struct{}{}:
	default:
	}
}
