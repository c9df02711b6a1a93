//go:build linux && (amd64 || arm64)

package spanprobereceiver

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/spanprobe/spanprobe/receiver/spanprobereceiver/internal/metadata"
	"github.com/spanprobe/spanprobe/receiver/spanprobereceiver/internal/metadatatest"
)

// outputTo makes an output whose telemetry and log can be looked at.
func outputTo(
	t *testing.T, next consumer.Traces,
) (*output, *componenttest.Telemetry, *observer.ObservedLogs) {
	t.Helper()
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() {
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	settings := receivertest.NewNopSettings(metadata.Type)
	settings.ID = component.NewIDWithName(metadata.Type, "second")
	settings.TelemetrySettings = tel.NewTelemetrySettings()
	core, logs := observer.New(zap.InfoLevel)
	settings.Logger = zap.New(core)
	builder, err := metadata.NewTelemetryBuilder(settings.TelemetrySettings)
	if err != nil {
		t.Fatal(err)
	}
	out, err := newOutput(settings, builder, next)
	if err != nil {
		t.Fatal(err)
	}
	return out, tel, logs
}

func batch(spans int) ptrace.Traces {
	traces := ptrace.NewTraces()
	scope := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty()
	for range spans {
		scope.Spans().AppendEmpty()
	}
	return traces
}

// spansReported is what the Collector's own receiver metric of that name counts.
func spansReported(t *testing.T, tel *componenttest.Telemetry, name string) int64 {
	t.Helper()
	m, err := tel.GetMetric(name)
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	for _, point := range m.Data.(metricdata.Sum[int64]).DataPoints {
		n += point.Value
	}
	return n
}

func TestAcceptedSpansReachTheConsumerAndAreReported(t *testing.T) {
	sink := new(consumertest.TracesSink)
	out, tel, logs := outputTo(t, sink)
	if err := out.consume(context.Background(), batch(3)); err != nil {
		t.Fatal(err)
	}
	if n := sink.SpanCount(); n != 3 {
		t.Errorf("%d spans reached the consumer, want 3", n)
	}
	if n := spansReported(t, tel, "otelcol_receiver_accepted_spans"); n != 3 {
		t.Errorf("%d spans are reported as accepted, want 3", n)
	}
	if n := spansReported(t, tel, "otelcol_receiver_refused_spans"); n != 0 {
		t.Errorf("%d spans are reported as refused, want none", n)
	}
	if logs.Len() != 0 {
		t.Errorf("the log has %v, want nothing", logs.All())
	}
}

func TestRefusedSpansAreCountedByKindOfError(t *testing.T) {
	answers := []error{
		errors.New("the queue is full"),
		consumererror.NewPermanent(errors.New("no such tenant")),
	}
	next, err := consumer.NewTraces(func(context.Context, ptrace.Traces) error {
		answer := answers[0]
		answers = answers[1:]
		return answer
	})
	if err != nil {
		t.Fatal(err)
	}
	out, tel, _ := outputTo(t, next)
	for _, spans := range []int{5, 7} {
		if err := out.consume(context.Background(), batch(spans)); err == nil {
			t.Error("the error of the consumer is swallowed")
		}
	}
	metadatatest.AssertEqualReceiverSpanprobeSpansRefused(t, tel, []metricdata.DataPoint[int64]{
		{Value: 5, Attributes: of("spanprobe/second", attribute.Bool("permanent", false))},
		{Value: 7, Attributes: of("spanprobe/second", attribute.Bool("permanent", true))},
	}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	if n := spansReported(t, tel, "otelcol_receiver_refused_spans"); n != 12 {
		t.Errorf("%d spans are reported as refused, want 12", n)
	}
}

func TestRefusalsAreLoggedAtALimitedRate(t *testing.T) {
	out, _, logs := outputTo(t, consumertest.NewErr(errors.New("the queue is full")))
	refuse := func() {
		t.Helper()
		if err := out.consume(context.Background(), batch(2)); err == nil {
			t.Error("the error of the consumer is swallowed")
		}
	}
	for range 100 {
		refuse()
	}
	if logs.Len() != 1 {
		t.Fatalf("%d lines for 100 refusals in a row, want 1", logs.Len())
	}
	out.lastLogged = time.Now().Add(-refusalInterval)
	refuse()
	if logs.Len() != 2 {
		t.Fatalf("%d lines after the interval, want 2", logs.Len())
	}
	if spans := logs.All()[1].ContextMap()["spans"]; spans != int64(200) {
		t.Errorf("the second line tells of %v spans, want the 200 since the first", spans)
	}
}
