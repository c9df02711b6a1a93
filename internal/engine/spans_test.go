//go:build linux && (amd64 || arm64)

package engine

import (
	"context"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/assemble"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/traces"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// A process whose executable has no hooks on demand goes on to miss them.
func TestMissingHooksAreRequestedOnceAWhile(t *testing.T) {
	known := newRegistry()
	known.put(processKey{1, 1}, traces.NewResource(&model.Process{PID: 1}, "1.26.8", "", "1"))
	var requested []missingHooks
	reader := newSpanReader(t.Context(), Settings{
		Logger: zap.NewNop(), Libraries: all.Libraries(),
		Consume: func(context.Context, traces.Traces) error { return nil },
	}, assemble.New(all.Libraries(), probe.DecodeOptions{Query: QueryRedact}, Sampler{}), known, newCounts(), func(hooks missingHooks) { requested = append(requested, hooks) }, time.Now().UnixNano())
	record := exampleRecord()
	for range 1000 {
		reader.handle(record)
	}
	if len(requested) != 0 {
		t.Fatalf("%d requests for records that miss nothing", len(requested))
	}
	record[unsafe.Offsetof(wire.SpanHead{}.Context)] |= wire.ContextMissesHooks
	for range 1000 {
		reader.handle(record)
	}
	want := missingHooks{processKey{1, 1}, "net/http"}
	if len(requested) != 1 || requested[0] != want {
		t.Fatalf("%d requests: %+v", len(requested), requested)
	}
	reader.requested[want] = time.Now().Add(-requestInterval)
	reader.handle(record)
	if len(requested) != 2 {
		t.Errorf("%d requests after the time that they take", len(requested))
	}
}

// Discovery is behind, and a process floods meanwhile that it has yet to tell of.
func TestRecordsThatWaitForTheirProcessLeaveRoomForThoseOfAnother(t *testing.T) {
	counts := newCounts()
	reader := newSpanReader(t.Context(), Settings{Logger: zap.NewNop()}, nil, newRegistry(),
		counts, nil, time.Now().UnixNano())
	record := exampleRecord()
	for range 2 * maxPending {
		reader.handle(record)
	}
	alone := len(reader.pending)
	record[unsafe.Offsetof(wire.SpanHead{}.Tgid)]++
	const others = 100
	for range others {
		reader.handle(record)
	}
	if alone < maxPending*8/9 || alone+others != len(reader.pending) {
		t.Errorf("%d records of one process wait, and %d of another", alone,
			len(reader.pending)-alone)
	}
	if n := counts.stats().Lost[LostProcessUnknown]; n != uint64(2*maxPending-alone) {
		t.Errorf("%d are lost", n)
	}
	reader.retry(time.Now())
	reader.handle(record)
	if len(reader.pending) != alone+others+1 {
		t.Errorf("%d wait after a while", len(reader.pending))
	}
}
