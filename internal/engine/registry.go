//go:build linux && (amd64 || arm64)

package engine

import (
	"slices"
	"sync"
	"time"

	"github.com/spanprobe/spanprobe/internal/traces"
)

const (
	// afterlife is how long a process's resource is kept once the process is gone: records of it
	// may still be on their way.
	afterlife = 5 * time.Second
	// maxEnded bounds the ended processes that are known. The records of more than these are lost
	// if the next consumer is so slow that they are read later: those of the executable that has
	// most ended processes.
	maxEnded = 8192
	// underWay is how long a probe may go on with a process that was forgotten as the probe was
	// hit: an operation that the probe is about to finish is not swept, and counted twice.
	underWay = 100 * time.Millisecond
)

// forever is later than any moment that matters.
var forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// registry knows the process keys: of those that are traced, and of those that were until lately.
// It is safe for concurrent use.
type registry struct {
	mu      sync.RWMutex
	entries map[processKey]registryEntry
	// readUntil is when the ring buffer of spans was last found empty: every record that was sent
	// earlier has been handled. A slow consumer keeps it back.
	readUntil time.Time
}

// registryEntry is what is known of one process key.
type registryEntry struct {
	resource traces.Resource
	known    bool      // there is a resource, or the process is rejected
	rejected bool      // the process is no target after all
	ended    time.Time // zero while it is traced
	unswept  bool      // it may have left operations in the kernel
}

func newRegistry() *registry {
	return &registry{entries: map[processKey]registryEntry{}, readUntil: time.Now()}
}

// read notes that every record that was sent before a moment has been handled.
func (r *registry) read(until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.readUntil = until
}

// put enters a process that is traced.
func (r *registry) put(key processKey, resource traces.Resource) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries[key] = registryEntry{resource: resource, known: true}
}

// end notes that a process is not traced any more.
func (r *registry) end(key processKey, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	entry := r.entries[key]
	entry.ended, entry.unswept = now, true
	r.entries[key] = entry
}

// reject notes that a process, which was ended, is no target.
func (r *registry) reject(key processKey, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries[key] = registryEntry{known: true, rejected: true, ended: now, unswept: true}
}

// get gives what is known of a key. The result is false for a process that discovery has not
// reported yet, or did not see.
func (r *registry) get(key processKey) (registryEntry, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	entry := r.entries[key]
	return entry, entry.known
}

// service is the name by which the telemetry of a process goes; "" if the process is not known.
func (r *registry) service(key processKey) string {
	entry, _ := r.get(key)
	return entry.service()
}

// executable is the path of what the process ran.
func (e registryEntry) executable() string {
	if !e.known || e.rejected {
		return ""
	}
	return traces.Executable(e.resource)
}

func (e registryEntry) service() string {
	if !e.known || e.rejected {
		return ""
	}
	return traces.ServiceName(e.resource)
}

// unswept gives the keys of ended processes that may have left operations: those that are due to
// be swept, and those of which a probe may be under way.
func (r *registry) unswept(now time.Time) (due, early map[processKey]bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	due, early = map[processKey]bool{}, map[processKey]bool{}
	for key, entry := range r.entries {
		switch {
		case !entry.unswept:
		case now.Sub(entry.ended) < underWay:
			early[key] = true
		default:
			due[key] = true
		}
	}
	return due, early
}

// swept notes that nothing is left of the operations of some keys.
func (r *registry) swept(keys map[processKey]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range keys {
		entry, ok := r.entries[key]
		if !ok || !entry.unswept {
			continue
		}
		entry.unswept = false
		r.entries[key] = entry
		if !entry.known {
			delete(r.entries, key)
		}
	}
}

// expire drops the processes that ended long enough ago, of which every record has been handled.
func (r *registry) expire(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.readUntil.Before(now) {
		now = r.readUntil
	}
	var waiting []processKey
	for key, entry := range r.entries {
		switch {
		case entry.ended.IsZero():
		case now.Sub(entry.ended) > afterlife:
			r.drop(key)
		case entry.known:
			waiting = append(waiting, key)
		}
	}
	if len(waiting) <= maxEnded {
		return
	}
	slices.SortFunc(waiting, func(a, b processKey) int {
		return r.entries[a].ended.Compare(r.entries[b].ended)
	})
	of := map[string][]processKey{}
	for _, key := range waiting {
		path := r.entries[key].executable()
		of[path] = append(of[path], key)
	}
	for more := len(waiting) - maxEnded; more > 0; more-- {
		most := ""
		for path, keys := range of {
			if len(keys) > len(of[most]) || len(keys) == len(of[most]) && path < most {
				most = path
			}
		}
		r.drop(of[most][0])
		of[most] = of[most][1:]
	}
}

// drop forgets a process that has ended, but not that its operations are still to be swept.
func (r *registry) drop(key processKey) {
	entry := r.entries[key]
	if entry.unswept {
		r.entries[key] = registryEntry{ended: entry.ended, unswept: true}
		return
	}
	delete(r.entries, key)
}
