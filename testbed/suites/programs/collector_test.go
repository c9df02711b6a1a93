//go:build matrix

package programs

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/loopback"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

var (
	telemetrygen = pinned{
		"suites/programs/telemetrygen",
		"github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen",
		"programs/telemetrygen",
	}
	// the demo's
	jaeger = pinned{"jaeger", "github.com/jaegertracing/jaeger/cmd/jaeger", "jaeger"}
)

// telemetrygenAgent is the user agent of the versions that its module pins.
const telemetrygenAgent = "OTel OTLP Exporter Go/1.46.0 grpc-go/1.83.2"

const export = "opentelemetry.proto.collector.trace.v1.TraceService/Export"

// receivingCollector takes OTLP over gRPC, and counts.
const receivingCollector = `
receivers: {otlp: {protocols: {grpc: {endpoint: %q}}}}
exporters: {debug: {}}
service:
  telemetry: {metrics: {level: none}, logs: {sampling: {enabled: false}}}
  pipelines: {traces: {receivers: [otlp], exporters: [debug]}}
`

// jaegerInMemory takes it and serves what it took.
const jaegerInMemory = `
extensions:
  jaeger_storage: {backends: {memory: {memory: {max_traces: 1000}}}}
  jaeger_query:
    enable_tracing: false
    storage: {traces: memory}
    http: {endpoint: %q}
    grpc: {endpoint: %q}
receivers: {otlp: {protocols: {grpc: {endpoint: %q}}}}
exporters: {jaeger_storage_exporter: {trace_storage: memory}}
service:
  extensions: [jaeger_storage, jaeger_query]
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [otlp], exporters: [jaeger_storage_exporter]}}
`

// traces are what telemetrygen makes, of two spans each, every one of which it
// sends at once.
const traces, exports = 40, 2 * 40

// generate sends them, and returns the spans of both ends.
func generate(t *testing.T, tracer *tracing.Tracer, sender, address string) []times {
	t.Helper()
	said := tracedWell(
		t, tracer, sender, "traces", "--otlp-insecure", "--otlp-endpoint", address, "--traces",
		fmt.Sprint(traces/2), "--workers", "2", "--rate", "0", "--batch=false", "--service",
		"generated",
	)
	if strings.Contains(said, "failed") {
		t.Fatalf("telemetrygen reports a failure:\n%s", said)
	}
	return []times{
		{exports, grpcCall(t, address, export)},
		{exports, grpcServed(t, address, export, telemetrygenAgent)},
	}
}

func serve(t *testing.T, executable, configuration string) (said func() string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "configuration.yaml")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, exec.Command(executable, "--config", file))
}

// instrumented are targets that contain OpenTelemetry's SDK.
func instrumented(paths ...string) engine.Config {
	config := executables(paths...)
	config.Instrumented = engine.InstrumentedTrace
	return config
}

func TestACollectorIsTracedAsItReceivesOTLP(t *testing.T) {
	// `make build` builds it.
	sender, receiver := telemetrygen.build(t), filepath.Join(root(t), "dist", "otelcol-spanprobe")
	address := loopback.Refusing(t)
	tracer := tracing.Start(t, instrumented(sender, receiver))
	said := serve(t, receiver, fmt.Sprintf(receivingCollector, address))
	tracer.AwaitTracing(t, 1)
	listening(t, address)
	expect(t, tracer, generate(t, tracer, sender, address)...)
	expectJoined(t, tracer, exports)
	if got := strings.Count(said(), `"spans": 1}`); got != exports {
		t.Errorf("the collector received %d exports, not %d", got, exports)
	}
}

// Jaeger serves what it took over net/http.
func TestJaegerIsTracedAsItReceivesAndServes(t *testing.T) {
	sender, receiver := telemetrygen.build(t), jaeger.build(t)
	address, query := loopback.Refusing(t), loopback.Refusing(t)
	tracer := tracing.Start(t, instrumented(sender, receiver))
	serve(t, receiver, fmt.Sprintf(jaegerInMemory, query, loopback.Refusing(t), address))
	tracer.AwaitTracing(t, 1)
	listening(t, address)
	listening(t, query)
	want := generate(t, tracer, sender, address)
	response, err := http.Get("http://" + query + "/api/v3/services")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil ||
		!strings.Contains(string(body), "generated") {
		t.Fatalf("Jaeger has the services %s, %v", body, err)
	}
	expect(t, tracer, append(want, times{1, httpServed(t, query, "/api/v3/services",
		http.StatusOK)})...)
	expectJoined(t, tracer, exports)
}
