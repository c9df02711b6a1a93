//go:build linux && (amd64 || arm64)

package receiver

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/receiver/internal/metadata"
)

const (
	transport = "ebpf"
	format    = "spanprobe"

	// refusalInterval is how often refused spans are logged at the most; the
	// metrics count them all.
	refusalInterval = 10 * time.Second
)

type tracesReceiver struct {
	settings  receiver.Settings
	next      consumer.Traces
	obsreport *receiverhelper.ObsReport
	engine    *engine.Engine
	telemetry *metadata.TelemetryBuilder
	host      component.Host

	lastRefusal time.Time
}

func createTraces(_ context.Context, settings receiver.Settings, config component.Config, next consumer.Traces) (receiver.Traces, error) {
	c, ok := config.(*Config)
	if !ok {
		return nil, fmt.Errorf("the configuration is a %T", config)
	}
	obsreport, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: settings.ID, Transport: transport, ReceiverCreateSettings: settings,
	})
	if err != nil {
		return nil, err
	}
	r := &tracesReceiver{settings: settings, next: next, obsreport: obsreport}
	r.engine, err = engine.New(engine.Config{
		Targets:        targets(c.Targets),
		Exclude:        targets(c.Exclude),
		URLQuery:       engine.QueryMode(c.URLQuery),
		RingBufferSize: c.RingBufferSize,
		MaxActiveSpans: c.MaxActiveSpans,
	}, engine.Settings{
		Logger:    settings.Logger,
		Libraries: all.Libraries(),
		Version:   settings.BuildInfo.Version,
		Consume:   r.consume,
		Status:    r.report,
	})
	return r, err
}

// Start loads the probes and goes on in the background. It fails when the
// machine or the rights of the collector do not suffice.
func (r *tracesReceiver) Start(ctx context.Context, host component.Host) error {
	r.host = host
	telemetry, err := metadata.NewTelemetryBuilder(r.settings.TelemetrySettings)
	if err != nil {
		return err
	}
	if err := r.engine.Start(ctx); err != nil {
		telemetry.Shutdown()
		return err
	}
	r.telemetry = telemetry
	return r.observe()
}

// Shutdown takes every probe out and hands on what is left. It is safe before
// Start and twice.
func (r *tracesReceiver) Shutdown(ctx context.Context) error {
	err := r.engine.Shutdown(ctx)
	if r.telemetry != nil {
		r.telemetry.Shutdown()
		r.telemetry = nil
	}
	return err
}

// consume hands spans on. Uprobes cannot be slowed down, so what is refused is
// lost, and counted by obsreport and by the engine.
func (r *tracesReceiver) consume(ctx context.Context, traces ptrace.Traces) error {
	n := traces.SpanCount()
	ctx = r.obsreport.StartTracesOp(ctx)
	err := r.next.ConsumeTraces(ctx, traces)
	r.obsreport.EndTracesOp(ctx, format, n, err)
	if err != nil && time.Since(r.lastRefusal) >= refusalInterval {
		r.lastRefusal = time.Now()
		r.settings.Logger.Warn("Spans were refused by the next consumer and are lost",
			zap.Int("spans", n), zap.Bool("permanent", consumererror.IsPermanent(err)), zap.Error(err))
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
