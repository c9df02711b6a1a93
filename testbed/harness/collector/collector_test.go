package collector

import (
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
