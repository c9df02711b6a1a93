//go:build linux && (amd64 || arm64)

package receiver

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/spanprobe/spanprobe/internal/engine"
)

// observe feeds the receiver's own metrics from the engine's counters.
func (r *tracesReceiver) observe() error {
	t := r.telemetry
	single := func(register func(metric.Int64Callback) error, value func(*engine.Stats) int64) error {
		return register(func(_ context.Context, o metric.Int64Observer) error {
			stats, err := r.engine.Stats()
			if err == nil {
				o.Observe(value(&stats))
			}
			return err
		})
	}
	return errors.Join(
		single(t.RegisterReceiverSpanprobeOperationsCallback, func(s *engine.Stats) int64 { return int64(s.Operations) }),
		single(t.RegisterReceiverSpanprobeSpansEmittedCallback, func(s *engine.Stats) int64 { return int64(s.Emitted) }),
		single(t.RegisterReceiverSpanprobeNotSampledCallback, func(s *engine.Stats) int64 { return int64(s.NotSampled) }),
		single(t.RegisterReceiverSpanprobeAttachFailuresCallback, func(s *engine.Stats) int64 { return int64(s.AttachFailures) }),
		single(t.RegisterReceiverSpanprobeEventsLostCallback, func(s *engine.Stats) int64 { return int64(s.EventsLost) }),
		single(t.RegisterReceiverSpanprobeProbeHitsCallback, func(s *engine.Stats) int64 { return int64(s.ProbeHits) }),
		single(t.RegisterReceiverSpanprobeProcessesCallback, func(s *engine.Stats) int64 { return int64(s.Processes) }),
		single(t.RegisterReceiverSpanprobeExecutablesCallback, func(s *engine.Stats) int64 { return int64(s.Binaries) }),
		single(t.RegisterReceiverSpanprobeActiveCallback, func(s *engine.Stats) int64 { return int64(s.Active) }),
		byReason(r, t.RegisterReceiverSpanprobeSpansLostCallback, func(s *engine.Stats) map[engine.LostReason]uint64 { return s.Lost }),
		byReason(r, t.RegisterReceiverSpanprobeSpansDegradedCallback, func(s *engine.Stats) map[engine.DegradedReason]uint64 { return s.Degraded }),
	)
}

func byReason[R ~string](r *tracesReceiver, register func(metric.Int64Callback) error, values func(*engine.Stats) map[R]uint64) error {
	return register(func(_ context.Context, o metric.Int64Observer) error {
		stats, err := r.engine.Stats()
		if err != nil {
			return err
		}
		for reason, n := range values(&stats) {
			o.Observe(int64(n), metric.WithAttributes(attribute.String("reason", string(reason))))
		}
		return nil
	})
}
