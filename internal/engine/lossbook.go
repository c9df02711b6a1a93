//go:build linux && (amd64 || arm64)

package engine

import (
	"errors"
	"sync"

	"github.com/spanprobe/spanprobe/internal/attach"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// lossKernel counts what each process has lost.
type lossKernel interface {
	Traces(pid int, generation uint32) bool
	Losses() (map[wire.ProcessKey]wire.LostOperations, error)
	TakeLosses(wire.ProcessKey) (wire.LostOperations, error)
}

// lossBook counts the losses of processes as those of their services. It is safe for concurrent
// use.
type lossBook struct {
	kernel   lossKernel
	registry *registry
	counts   *counts

	mu   sync.Mutex
	seen map[wire.ProcessKey]seenLosses
}

// seenLosses are those of a process that are counted already.
type seenLosses struct {
	service string
	lost    wire.LostOperations
}

func newLossBook(kernel lossKernel, registry *registry, counts *counts) *lossBook {
	return &lossBook{
		kernel: kernel, registry: registry, counts: counts,
		seen: map[wire.ProcessKey]seenLosses{},
	}
}

// look takes in what was lost since it last looked.
func (b *lossBook) look() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	losses, err := b.kernel.Losses()
	if err != nil {
		return err
	}
	var errs []error
	for key, lost := range losses {
		errs = append(errs, b.take(key, lost))
	}
	return errors.Join(errs...)
}

// take takes in what a process has lost. A process that has ended loses nothing more, and its entry
// makes room.
func (b *lossBook) take(key wire.ProcessKey, lost wire.LostOperations) (err error) {
	seen, before := b.seen[key]
	alive := b.kernel.Traces(int(key.Tgid), key.Generation)
	if service := b.registry.service(processKey{key.Tgid, key.Generation}); service != "" {
		seen.service = service
	} else if alive && !before {
		return nil // the kernel traces it, and discovery has yet to tell whose it is
	}
	if !alive {
		if lost, err = b.kernel.TakeLosses(key); err != nil {
			return err
		}
	}
	since := lost.Less(seen.lost)
	since.Each(func(reason LostReason, n uint64) { b.counts.lose(reason, seen.service, n) })
	if alive {
		seen.lost = lost
		b.seen[key] = seen
	} else {
		delete(b.seen, key)
	}
	return nil
}

// countSwept counts what a sweep has released.
func (b *lossBook) countSwept(swept attach.Swept, reason LostReason) {
	for key, n := range swept.Unfinished {
		service := b.registry.service(processKey{key.Tgid, key.Generation})
		b.counts.lose(reason, service, uint64(n))
	}
	b.counts.notSampled(swept.NotSampled)
}
