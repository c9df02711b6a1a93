//go:build linux && (amd64 || arm64)

package spanprobereceiver

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/receiver/spanprobereceiver/internal/metadata"
)

// snapshotAge is how long one reading of the counters serves. A collection runs
// the callbacks one right after the other, and their values should agree.
const snapshotAge = 100 * time.Millisecond

// observe feeds the receiver's own metrics from the engine's counters. All receivers of a collector share the
// instruments, so what each of them says has its ID.
func observe(t *metadata.TelemetryBuilder, id component.ID, read func() (engine.Stats, error), logger *zap.Logger) error {
	s := &snapshot{read: read, logger: logger, receiver: ofReceiver(id)}
	return errors.Join(
		single(s, t.RegisterReceiverSpanprobeOperationsCallback, func(s *engine.Stats) uint64 { return s.Operations }),
		single(s, t.RegisterReceiverSpanprobeSpansEmittedCallback, func(s *engine.Stats) uint64 { return s.Emitted }),
		single(s, t.RegisterReceiverSpanprobeNotSampledCallback, func(s *engine.Stats) uint64 { return s.NotSampled }),
		single(s, t.RegisterReceiverSpanprobeDiscardedCallback, func(s *engine.Stats) uint64 { return s.Discarded }),
		single(s, t.RegisterReceiverSpanprobeSelfTracedCallback, func(s *engine.Stats) uint64 { return s.SelfTraced }),
		single(s, t.RegisterReceiverSpanprobeInjectedCallback, func(s *engine.Stats) uint64 { return s.Injected }),
		single(s, t.RegisterReceiverSpanprobeTracestatesNotInjectedCallback, func(s *engine.Stats) uint64 { return s.StateNotInjected }),
		single(s, t.RegisterReceiverSpanprobeNotInjectedCallback, func(s *engine.Stats) uint64 { return s.NotInjected }),
		single(s, t.RegisterReceiverSpanprobeAttachFailuresCallback, func(s *engine.Stats) uint64 { return s.AttachFailures }),
		single(s, t.RegisterReceiverSpanprobeExecutablesLeftAloneCallback, func(s *engine.Stats) uint64 { return s.LeftAlone }),
		single(s, t.RegisterReceiverSpanprobeEventsLostCallback, func(s *engine.Stats) uint64 { return s.EventsLost }),
		single(s, t.RegisterReceiverSpanprobeProbeHitsCallback, func(s *engine.Stats) uint64 { return s.ProbeHits }),
		single(s, t.RegisterReceiverSpanprobeProcessesCallback, func(s *engine.Stats) int { return s.Processes }),
		single(s, t.RegisterReceiverSpanprobeExecutablesCallback, func(s *engine.Stats) int { return s.Binaries }),
		single(s, t.RegisterReceiverSpanprobeActiveCallback, func(s *engine.Stats) int { return s.Active }),
		byReason(s, t.RegisterReceiverSpanprobeSpansLostCallback, func(s *engine.Stats) map[engine.LostReason]uint64 { return s.Lost }),
		byReason(s, t.RegisterReceiverSpanprobeSpansDegradedCallback, func(s *engine.Stats) map[engine.DegradedReason]uint64 { return s.Degraded }),
	)
}

// ofReceiver is the attribute by which receivers are told apart, as in the metrics of receiverhelper.
func ofReceiver(id component.ID) attribute.KeyValue { return attribute.String("receiver", id.String()) }

func single[N int | uint64](s *snapshot, register func(metric.Int64Callback) error, value func(*engine.Stats) N) error {
	return register(func(_ context.Context, o metric.Int64Observer) error {
		stats, err := s.take()
		if err == nil {
			o.Observe(int64(value(&stats)), metric.WithAttributes(s.receiver))
		}
		return err
	})
}

func byReason[R ~string](s *snapshot, register func(metric.Int64Callback) error, values func(*engine.Stats) map[R]uint64) error {
	return register(func(_ context.Context, o metric.Int64Observer) error {
		stats, err := s.take()
		for reason, n := range values(&stats) {
			o.Observe(int64(n), metric.WithAttributes(s.receiver, attribute.String("reason", string(reason))))
		}
		return err
	})
}

// snapshot is the last reading of the counters. Safe for concurrent use: each
// reader of metrics collects on its own.
type snapshot struct {
	read     func() (engine.Stats, error)
	logger   *zap.Logger
	receiver attribute.KeyValue

	mu    sync.Mutex
	stats engine.Stats
	err   error
	taken time.Time
}

func (s *snapshot) take() (engine.Stats, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.taken) < snapshotAge {
		return s.stats, s.err
	}
	s.stats, s.err = s.read()
	s.taken = time.Now()
	if s.err != nil { // which the generated callbacks keep to themselves
		s.logger.Warn("The receiver's own metrics cannot be read", zap.Error(s.err))
	}
	return s.stats, s.err
}
