//go:build linux && (amd64 || arm64)

package engine

import (
	"sync"
	"time"

	"github.com/spanprobe/spanprobe/internal/traces"
)

// afterlife is how long a process's resource is kept once the process is gone:
// records of it may still be on their way.
const afterlife = 5 * time.Second

// program is one program that ran or runs under a process id.
type program struct {
	pid        uint32
	generation uint32
}

// registry knows the resources of the traced processes. Safe for concurrent use.
type registry struct {
	mu      sync.RWMutex
	entries map[program]registryEntry
}

type registryEntry struct {
	resource traces.Resource
	rejected bool      // no target after all
	gone     time.Time // zero while it runs
}

func newRegistry() *registry { return &registry{entries: map[program]registryEntry{}} }

func (r *registry) put(p program, resource traces.Resource) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries[p] = registryEntry{resource: resource}
}

// reject notes a program that the kernel took for a target and that is none.
func (r *registry) reject(p program, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries[p] = registryEntry{rejected: true, gone: now}
}

// end notes that a program has ended.
func (r *registry) end(p program, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if entry, ok := r.entries[p]; ok {
		entry.gone = now
		r.entries[p] = entry
	}
}

func (r *registry) get(p program) (registryEntry, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	entry, ok := r.entries[p]
	return entry, ok
}

// expire drops what ended long enough ago.
func (r *registry) expire(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, entry := range r.entries {
		if !entry.gone.IsZero() && now.Sub(entry.gone) > afterlife {
			delete(r.entries, p)
		}
	}
}
