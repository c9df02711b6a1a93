package collector

import (
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/golden"
)

func TestAConfigurationIsWhatAUserWrites(t *testing.T) {
	for name, c := range map[string]Config{
		"spanprobe.yaml": {
			Settings: Targets(Literal("/bin/a*b"),
				"/opt/**"), Endpoint: "127.0.0.1:4317", BatchTimeout: 100 * time.Millisecond,
		},
		"otlp.yaml": {
			Receiver: "otlp",
			Settings: Settings{"protocols": Settings{"grpc": Settings{"endpoint": "127.0.0.1:4318"}}},
			Endpoint: "127.0.0.1:4317", Compression: "none", MetricsPort: 8888,
		},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := c.YAML()
			if err != nil {
				t.Fatal(err)
			}
			golden.Assert(t, string(text), name)
		})
	}
}

func TestAMetricIsFoundWithAndWithoutLabels(t *testing.T) {
	const metrics = `# TYPE otelcol_receiver_spanprobe_processes gauge
otelcol_receiver_spanprobe_processes 3
otelcol_receiver_spanprobe_processes{receiver="spanprobe/a b"} 1e+02
otelcol_receiver_spanprobe_executables 20
# TYPE otelcol_receiver_spanprobe_spans_lost_total counter
otelcol_receiver_spanprobe_spans_lost_total{reason="ring_full",receiver="spanprobe"} 1.5e+06
other{about="receiver_spanprobe_processes"} 1
`
	got, err := samples(strings.NewReader(metrics), "receiver_spanprobe_processes")
	if err != nil || len(got) != 2 || got[0].Value != 3 || got[1].Value != 100 ||
		got[1].Metric["receiver"] != "spanprobe/a b" {
		t.Errorf("got %v, %v", got, err)
	}
	got, err = samples(strings.NewReader(metrics), "spans_lost")
	if err != nil || len(got) != 1 || got[0].Value != 1_500_000 ||
		got[0].Metric["reason"] != "ring_full" {
		t.Errorf("got %v, %v", got, err)
	}
	got, err = samples(strings.NewReader(`lost{reason="ring_full"} many`+"\n"), "lost")
	if err == nil {
		t.Errorf("a value that is no number: %v", got)
	}
}
