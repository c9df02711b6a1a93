//go:build linux && (amd64 || arm64)

package spanprobereceiver

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/otel/metric"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/offsets"
	"github.com/spanprobe/spanprobe/receiver/spanprobereceiver/internal/metadata"
)

// modulePath is the module that this receiver belongs to.
const modulePath = "github.com/spanprobe/spanprobe"

type tracesReceiver struct {
	id        component.ID
	settings  component.TelemetrySettings
	engine    *engine.Engine
	log       *gathering // of the engine's lines
	telemetry *metadata.TelemetryBuilder
	metrics   metric.Registration // nil while the engine does not run
	host      component.Host      // set by Start
}

func createTraces(
	_ context.Context, settings receiver.Settings, config component.Config, next consumer.Traces,
) (receiver.Traces, error) {
	c, ok := config.(*Config)
	if !ok {
		return nil, fmt.Errorf("the configuration is a %T, not a %T", config, c)
	}
	telemetry, err := metadata.NewTelemetryBuilder(settings.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	out, err := newOutput(settings, telemetry, next)
	if err != nil {
		return nil, err
	}
	engineConfig, err := c.engine()
	if err != nil {
		return nil, err
	}
	r := &tracesReceiver{
		id:        settings.ID,
		settings:  settings.TelemetrySettings,
		telemetry: telemetry,
		log:       newGathering(),
	}
	r.engine, err = engine.New(engineConfig, engine.Settings{
		Logger:      r.log.gather(settings.Logger),
		Libraries:   all.Libraries(),
		Tracepoints: all.Tracepoints,
		Offsets:     offsets.Default(),
		Version:     moduleVersion(),
		Consume:     out.consume,
		Status:      r.report,
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Start loads the probes and goes on in the background. It fails, and leaves
// nothing behind, when the machine or the rights of the collector do not
// suffice.
func (r *tracesReceiver) Start(ctx context.Context, host component.Host) error {
	r.host = host
	metrics, err := observe(r.settings, r.id, r.engine.Stats)
	if err != nil {
		return err
	}
	if err := r.engine.Start(ctx); err != nil {
		return errors.Join(err, metrics.Unregister())
	}
	r.metrics = metrics
	return nil
}

// Shutdown takes every probe out and hands on what is left. It is safe before
// Start and twice.
func (r *tracesReceiver) Shutdown(ctx context.Context) error {
	err := r.engine.Shutdown(ctx)
	r.log.end()
	r.telemetry.Shutdown()
	if r.metrics != nil {
		err = errors.Join(err, r.metrics.Unregister())
		r.metrics = nil
	}
	return err
}

// report turns the engine's state into the component's status.
func (r *tracesReceiver) report(err error) {
	if err != nil {
		componentstatus.ReportStatus(r.host, componentstatus.NewRecoverableErrorEvent(err))
		return
	}
	componentstatus.ReportStatus(r.host, componentstatus.NewEvent(componentstatus.StatusOK))
}

// moduleVersion is the version of spanprobe that was built into this binary,
// which has nothing to do with the version of the collector. It is "(devel)"
// where the build does not say.
func moduleVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range append(info.Deps, &info.Main) {
			if module.Path == modulePath && module.Version != "" {
				return strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	return "(devel)"
}
