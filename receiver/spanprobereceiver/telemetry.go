//go:build linux && (amd64 || arm64)

package spanprobereceiver

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/internal/wire"
	"github.com/spanprobe/spanprobe/receiver/spanprobereceiver/internal/metadata"
)

const (
	// metricPrefix begins the name of each of the receiver's own metrics.
	metricPrefix = "otelcol_receiver_spanprobe_"
	// metricStability is the suffix of their descriptions, as mdatagen has it.
	metricStability = " [Development]"
)

// observe feeds the receiver's own metrics from the engine's counters, until it is unregistered.
// All receivers of a collector share the instruments, so each value has the receiver's ID.
func observe(
	settings component.TelemetrySettings, id component.ID, read func() (engine.Stats, error),
) (metric.Registration, error) {
	instruments, err := newInstruments(metadata.Meter(settings))
	if err != nil {
		return nil, err
	}
	observables := make([]metric.Observable, len(instruments))
	for i, instrument := range instruments {
		observables[i] = instrument
	}
	receiver := ofReceiver(id)
	return metadata.Meter(settings).
		RegisterCallback(func(_ context.Context, o metric.Observer) error {
			// All metrics are of the same reading: their values agree.
			stats, err := read()
			if err != nil {
				settings.Logger.Warn("The receiver's own metrics cannot be read", zap.Error(err))
				return nil // the log has it
			}
			for i := range wire.Metrics {
				wire.Metrics[i].Observe(&stats, func(n int64, of wire.Loss) {
					attributes := []attribute.KeyValue{receiver}
					if of.Reason != "" {
						attributes = append(
							attributes, attribute.String("reason", string(of.Reason)),
						)
					}
					if of.Service != "" {
						attributes = append(attributes, attribute.String("service", of.Service))
					}
					o.ObserveInt64(instruments[i], n, metric.WithAttributes(attributes...))
				})
			}
			return nil
		}, observables...)
}

// newInstruments makes an instrument for each metric of the table, in its order. mdatagen's code
// makes the same ones: OpenTelemetry knows an instrument by its name, kind, unit and description.
func newInstruments(meter metric.Meter) ([]metric.Int64Observable, error) {
	var instruments []metric.Int64Observable
	var errs []error
	for _, m := range wire.Metrics {
		name, description, unit := metricPrefix+m.Name, metric.WithDescription(
			m.Description+metricStability,
		), metric.WithUnit(m.Unit)
		var instrument metric.Int64Observable
		var err error
		if m.Gauge {
			instrument, err = meter.Int64ObservableGauge(name, description, unit)
		} else {
			instrument, err = meter.Int64ObservableCounter(name, description, unit)
		}
		instruments, errs = append(instruments, instrument), append(errs, err)
	}
	return instruments, errors.Join(errs...)
}

// ofReceiver is the attribute by which receivers are told apart, as in the metrics of
// receiverhelper.
func ofReceiver(id component.ID) attribute.KeyValue {
	return attribute.String("receiver", id.String())
}
