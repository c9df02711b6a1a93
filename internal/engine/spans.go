//go:build linux && (amd64 || arm64)

package engine

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/internal/assemble"
	"github.com/spanprobe/spanprobe/internal/traces"
	"github.com/spanprobe/spanprobe/internal/wire"
)

const (
	// batchSize is how many spans are handed on at once at the most.
	batchSize = 1024
	// maxPending bounds the records that wait for their process to be known.
	maxPending = 8192
	// pendingTime is how long they wait.
	pendingTime = 2 * time.Second
	// clockInterval is how often the clocks are compared again.
	clockInterval = 10 * time.Second
)

// spanReader turns records into batches of spans. Its methods are called by the
// ring buffer's reader, one at a time.
type spanReader struct {
	context   context.Context // of the consumer's work
	settings  Settings
	assembler *assemble.Assembler
	registry  *registry
	counts    *counts
	builder   *traces.Builder

	requestHooks func(missingHooks)
	requested    map[missingHooks]time.Time // when last

	wallOffset int64
	measured   time.Time

	pending   []pendingRecord
	pendingOf map[processKey]int // how many there are of each process
}

// pendingRecord is a record of a process that discovery has not told of yet:
// the kernel begins to trace a process before user space has looked at it.
type pendingRecord struct {
	record  []byte
	process processKey
	since   time.Time
}

func newSpanReader(
	ctx context.Context, settings Settings, assembler *assemble.Assembler, registry *registry,
	counts *counts, requestHooks func(missingHooks), wallOffset int64,
) *spanReader {
	return &spanReader{
		context: ctx, settings: settings, assembler: assembler, registry: registry, counts: counts,
		builder:      traces.NewBuilder(settings.Version),
		requestHooks: requestHooks, requested: map[missingHooks]time.Time{},
		wallOffset: wallOffset, measured: time.Now(),
		pendingOf: map[processKey]int{},
	}
}

// timesLeft is what a process gets of room that it shares with others: no more than this times what
// is left. A process that is alone leaves a ninth.
const timesLeft = 8

// roomFor tells whether a record of a process may wait.
func (s *spanReader) roomFor(key processKey) bool {
	return s.pendingOf[key] < timesLeft*(maxPending-len(s.pending))
}

func (s *spanReader) handle(record []byte) {
	head, err := wire.ParseHead(record)
	if err != nil {
		s.counts.lose(LostMalformed, "", 1)
		return
	}
	key := processKey{head.Tgid, head.Generation}
	entry, known := s.registry.get(key)
	if known {
		s.add(record, entry)
	} else if s.roomFor(key) {
		s.pending = append(s.pending, pendingRecord{slices.Clone(record), key, time.Now()})
		s.pendingOf[key]++
	} else {
		s.counts.lose(LostProcessUnknown, "", 1)
	}
}

func (s *spanReader) add(record []byte, entry registryEntry) {
	if entry.rejected {
		s.counts.lose(LostNotTarget, "", 1)
		return
	}
	span, err := s.assembler.Span(record, s.wallOffset)
	if err != nil {
		s.counts.lose(LostMalformed, entry.service(), 1)
		s.settings.Logger.Debug("A record could not be decoded", zap.Error(err))
		return
	}
	if span.MissesHooks {
		s.miss(missingHooks{processKey{span.PID, span.Generation}, span.Library})
	}
	s.builder.Add(entry.resource, span)
	if s.builder.Len() >= batchSize {
		s.flush()
	}
}

// requestInterval is how long hooks on demand may take to be attached, and how long an executable
// is left alone that has none.
const requestInterval = time.Second

// miss requests hooks, unless the same ones were requested a moment ago.
func (s *spanReader) miss(hooks missingHooks) {
	now := time.Now()
	if now.Sub(s.requested[hooks]) < requestInterval {
		return
	}
	if len(s.requested) >= maxPending {
		clear(s.requested) // of processes that have ended, for the most part
	}
	s.requested[hooks] = now
	s.requestHooks(hooks)
}

// drained is called when the ring buffer has nothing more for now.
func (s *spanReader) drained() {
	now := time.Now()
	s.retry(now)
	s.registry.read(now)
	s.flush()
	if now.Sub(s.measured) < clockInterval {
		return
	}
	s.measured = now
	offset, err := assemble.WallOffset()
	if err != nil {
		s.settings.Logger.Warn(
			"The clocks could not be compared; span times follow the last comparison",
			zap.Error(err))
		return
	}
	s.wallOffset = offset
}

// retry adds the records whose process is known by now.
func (s *spanReader) retry(now time.Time) {
	clear(s.pendingOf)
	s.pending = slices.DeleteFunc(s.pending, func(p pendingRecord) bool {
		if entry, ok := s.registry.get(p.process); ok {
			s.add(p.record, entry)
			return true
		}
		if now.Sub(p.since) > pendingTime {
			s.counts.lose(LostProcessUnknown, "", 1)
			return true
		}
		s.pendingOf[p.process]++
		return false
	})
}

// finish is called after the last record.
func (s *spanReader) finish() {
	s.retry(time.Now())
	s.counts.lose(LostProcessUnknown, "", uint64(len(s.pending)))
	s.pending = nil
	s.registry.read(forever) // no process has to be known any more
	s.flush()
}

// flush hands on what was collected.
func (s *spanReader) flush() {
	n := uint64(s.builder.Len())
	if n == 0 {
		return
	}
	services := s.builder.Services() // the next consumer may change the spans
	if err := s.settings.Consume(s.context, s.builder.Take()); err != nil {
		for service, n := range services {
			s.counts.lose(LostRefused, service, uint64(n))
		}
		return
	}
	s.counts.emit(n)
}
