//go:build linux && (amd64 || arm64)

package engine

import (
	"testing"

	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/discover"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/testing/testbinary"
	"github.com/spanprobe/spanprobe/offsets"
)

const nobody = 1 << 30 // no process has this id

// There is no kernel to attach anything by.
func TestAFileThatContainsTheSDKGetsNoProbes(t *testing.T) {
	build := testbinary.Build{Go: "1.26.8", Arch: model.AMD64, Form: testbinary.Stripped}
	for has, want := range map[testbinary.SDK]string{
		testbinary.Provider: "go.opentelemetry.io/otel/sdk/trace.NewTracerProvider",
		testbinary.Fork:     "example.com/testserver/telemetry/sdk/trace.NewTracerProvider",
	} {
		path := testbinary.Instrumented(t, build, has, "v1.47.0")
		id, err := discover.FileID(path)
		if err != nil {
			t.Fatal(err)
		}
		settings := Settings{
			Logger: zap.NewNop(), Libraries: all.Libraries(), Offsets: offsets.Default(),
		}
		p := newPreparer(Config{}, settings, nil).prepare(nobody, path, id, 0)
		if p.event != preparedSDK || p.symbol != want || p.probes != nil || p.err != nil {
			t.Errorf("%s: %+v", has, p)
		}
	}
}
