//go:build linux && (amd64 || arm64)

package spanprobereceiver

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/internal/wire"
	"github.com/spanprobe/spanprobe/receiver/spanprobereceiver/internal/metadata"
	"github.com/spanprobe/spanprobe/receiver/spanprobereceiver/internal/metadatatest"
)

// observed returns telemetry that is fed by read, and what is logged meanwhile.
func observed(
	t *testing.T, read func() (engine.Stats, error),
) (*componenttest.Telemetry, *observer.ObservedLogs) {
	t.Helper()
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() {
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	core, logs := observer.New(zap.InfoLevel)
	observeMore(t, tel, component.NewID(metadata.Type), read, zap.New(core))
	return tel, logs
}

// observeMore feeds telemetry with what a receiver has counted.
func observeMore(
	t *testing.T, tel *componenttest.Telemetry, id component.ID, read func() (engine.Stats, error),
	logger *zap.Logger,
) {
	t.Helper()
	settings := tel.NewTelemetrySettings()
	settings.Logger = logger
	metrics, err := observe(settings, id, read)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := metrics.Unregister(); err != nil {
			t.Error(err)
		}
	})
}

func of(receiver string, others ...attribute.KeyValue) attribute.Set {
	return attribute.NewSet(append(others, attribute.String("receiver", receiver))...)
}

func reason(value string) attribute.Set {
	return of("spanprobe", attribute.String("reason", value))
}

func TestEveryCounterOfTheEngineIsAMetric(t *testing.T) {
	tel, _ := observed(t, func() (engine.Stats, error) {
		return engine.Stats{
			Operations:             100,
			Emitted:                80,
			NotSampled:             10,
			Discarded:              4,
			SelfTraced:             1,
			Injected:               11,
			NotInjected:            12,
			TracestatesNotInjected: 13,
			AttachFailures:         2,
			ExecutablesLeftAlone:   8,
			PreparationsDelayed:    14,
			EventsLost:             3,
			ProbeHits:              200,
			LostOf: map[wire.Loss]uint64{
				{Reason: engine.LostRingBufferFull, Service: "cart"}: 6,
				{Reason: engine.LostUnfinished}:                      1,
			},
			Degraded:    map[engine.DegradedReason]uint64{engine.DegradedHeaders: 4},
			Processes:   5,
			Executables: 7,
			Active:      9,
		}, nil
	})
	one := func(value int64) []metricdata.DataPoint[int64] {
		return []metricdata.DataPoint[int64]{{Value: value, Attributes: of("spanprobe")}}
	}
	ignore := metricdatatest.IgnoreTimestamp()
	metadatatest.AssertEqualReceiverSpanprobeOperations(t, tel, one(100), ignore)
	metadatatest.AssertEqualReceiverSpanprobeSpansEmitted(t, tel, one(80), ignore)
	metadatatest.AssertEqualReceiverSpanprobeNotSampled(t, tel, one(10), ignore)
	metadatatest.AssertEqualReceiverSpanprobeDiscarded(t, tel, one(4), ignore)
	metadatatest.AssertEqualReceiverSpanprobeSelfTraced(t, tel, one(1), ignore)
	metadatatest.AssertEqualReceiverSpanprobeInjected(t, tel, one(11), ignore)
	metadatatest.AssertEqualReceiverSpanprobeNotInjected(t, tel, one(12), ignore)
	metadatatest.AssertEqualReceiverSpanprobeTracestatesNotInjected(t, tel, one(13), ignore)
	metadatatest.AssertEqualReceiverSpanprobeAttachFailures(t, tel, one(2), ignore)
	metadatatest.AssertEqualReceiverSpanprobeExecutablesLeftAlone(t, tel, one(8), ignore)
	metadatatest.AssertEqualReceiverSpanprobePreparationsDelayed(t, tel, one(14), ignore)
	metadatatest.AssertEqualReceiverSpanprobeEventsLost(t, tel, one(3), ignore)
	metadatatest.AssertEqualReceiverSpanprobeProbeHits(t, tel, one(200), ignore)
	metadatatest.AssertEqualReceiverSpanprobeProcesses(t, tel, one(5), ignore)
	metadatatest.AssertEqualReceiverSpanprobeExecutables(t, tel, one(7), ignore)
	metadatatest.AssertEqualReceiverSpanprobeActive(t, tel, one(9), ignore)
	metadatatest.AssertEqualReceiverSpanprobeSpansLost(t, tel, []metricdata.DataPoint[int64]{
		{Value: 6, Attributes: of(
			"spanprobe", attribute.String("reason", "ring_buffer_full"),
			attribute.String("service", "cart"),
		)},
		{Value: 1, Attributes: reason("unfinished")},
	}, ignore)
	metadatatest.AssertEqualReceiverSpanprobeSpansDegraded(t, tel, []metricdata.DataPoint[int64]{
		{Value: 4, Attributes: reason("headers")},
	}, ignore)
}

func TestReceiversOfOneCollectorAreCountedApart(t *testing.T) {
	tel, _ := observed(t, func() (engine.Stats, error) {
		return engine.Stats{
			Operations: 5,
			Processes:  1,
			LostOf:     map[wire.Loss]uint64{{Reason: engine.LostRingBufferFull}: 2},
		}, nil
	})
	observeMore(
		t,
		tel,
		component.NewIDWithName(metadata.Type, "second"),
		func() (engine.Stats, error) {
			return engine.Stats{
				Operations: 11,
				Processes:  3,
				LostOf:     map[wire.Loss]uint64{{Reason: engine.LostRingBufferFull}: 4},
			}, nil
		},
		zap.NewNop(),
	)
	both := func(first, second int64, others ...attribute.KeyValue) []metricdata.DataPoint[int64] {
		return []metricdata.DataPoint[int64]{
			{
				Value:      first,
				Attributes: of("spanprobe", others...),
			},
			{Value: second, Attributes: of("spanprobe/second", others...)},
		}
	}
	ignore := metricdatatest.IgnoreTimestamp()
	metadatatest.AssertEqualReceiverSpanprobeOperations(t, tel, both(5, 11), ignore)
	metadatatest.AssertEqualReceiverSpanprobeProcesses(t, tel, both(1, 3), ignore)
	metadatatest.AssertEqualReceiverSpanprobeSpansLost(
		t, tel, both(2, 4, attribute.String("reason", "ring_buffer_full")), ignore,
	)
}

func TestOneReadingServesACollection(t *testing.T) {
	readings := 0
	tel, _ := observed(t, func() (engine.Stats, error) {
		readings++
		return engine.Stats{}, nil
	})
	var collected metricdata.ResourceMetrics
	if err := tel.Reader.Collect(context.Background(), &collected); err != nil {
		t.Fatal(err)
	}
	if readings != 1 {
		t.Errorf("the counters were read %d times, want once", readings)
	}
}

func TestCountersThatCannotBeReadAreNoMetricAndLogged(t *testing.T) {
	tel, logs := observed(
		t, func() (engine.Stats, error) { return engine.Stats{}, errors.New("bad map") },
	)
	if m, err := tel.GetMetric("otelcol_receiver_spanprobe_operations"); err == nil {
		t.Errorf("there is a metric all the same: %v", m)
	}
	if logs.Len() != 1 {
		t.Errorf("the log has %d lines, want 1: %v", logs.Len(), logs.All())
	}
}
