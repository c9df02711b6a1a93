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

// A program whose binary has no hooks on demand goes on to miss them.
func TestADemandIsPassedOnOnceAWhile(t *testing.T) {
	known := newRegistry()
	known.put(program{1, 1}, traces.NewResource(&model.Process{PID: 1}, "1.26.8", "", "1"))
	var passed []demand
	reader := newSpanReader(t.Context(), Settings{
		Logger: zap.NewNop(), Libraries: all.Libraries(),
		Consume: func(context.Context, traces.Traces) error { return nil },
	}, assemble.New(all.Libraries(), probe.DecodeOptions{Query: QueryRedact}, Sampler{}), known, newCounts(), func(d demand) { passed = append(passed, d) }, time.Now().UnixNano())
	record := exampleRecord()
	for range 1000 {
		reader.handle(record)
	}
	if len(passed) != 0 {
		t.Fatalf("%d demands for records that miss nothing", len(passed))
	}
	record[unsafe.Offsetof(wire.SpanHead{}.Context)] |= wire.ContextMissesHooks
	for range 1000 {
		reader.handle(record)
	}
	if want := (demand{program{1, 1}, "net/http"}); len(passed) != 1 || passed[0] != want {
		t.Fatalf("%d demands, the first of %+v", len(passed), passed)
	}
	reader.asked[passed[0]] = time.Now().Add(-askAgain)
	reader.handle(record)
	if len(passed) != 2 {
		t.Errorf("%d demands after the time for an answer", len(passed))
	}
}
