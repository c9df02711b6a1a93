//go:build linux && (amd64 || arm64)

package spanprobereceiver

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/receiver/spanprobereceiver/internal/metadata"
)

const (
	transport = "ebpf"
	format    = "spanprobe"

	// refusalInterval is how often refused spans are logged at the most; the
	// metrics count them all.
	refusalInterval = 10 * time.Second
)

// output hands spans to the next consumer. It is not safe for concurrent use.
type output struct {
	next      consumer.Traces
	logger    *zap.Logger
	obsreport *receiverhelper.ObsReport
	refused   metric.Int64Counter
	receiver  attribute.KeyValue

	unlogged   int // spans refused since the last line in the log
	lastLogged time.Time
}

func newOutput(
	settings receiver.Settings, telemetry *metadata.TelemetryBuilder, next consumer.Traces,
) (*output, error) {
	obsreport, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: settings.ID, Transport: transport, ReceiverCreateSettings: settings,
	})
	if err != nil {
		return nil, err
	}
	return &output{
		next: next, logger: settings.Logger, obsreport: obsreport,
		refused: telemetry.ReceiverSpanprobeSpansRefused, receiver: ofReceiver(settings.ID),
	}, nil
}

// consume hands spans on. Probes cannot be slowed down, and spans cannot be kept for long. So
// refused spans are lost, whether the consumer might take them later or not. The metric and the log
// tell the user which of the two it was.
func (o *output) consume(ctx context.Context, traces ptrace.Traces) error {
	spans := traces.SpanCount() // the next consumer may change them
	ctx = o.obsreport.StartTracesOp(ctx)
	err := o.next.ConsumeTraces(ctx, traces)
	o.obsreport.EndTracesOp(ctx, format, spans, err)
	if err != nil {
		o.refuse(ctx, spans, err)
	}
	return err
}

func (o *output) refuse(ctx context.Context, spans int, err error) {
	permanent := consumererror.IsPermanent(err)
	o.refused.Add(
		ctx, int64(spans),
		metric.WithAttributes(o.receiver, attribute.Bool("permanent", permanent)),
	)
	o.unlogged += spans
	if time.Since(o.lastLogged) < refusalInterval {
		return
	}
	o.logger.Warn("The next consumer refused spans, which are lost",
		zap.Int("spans", o.unlogged), zap.Bool("permanent", permanent), zap.Error(err))
	o.unlogged, o.lastLogged = 0, time.Now()
}
