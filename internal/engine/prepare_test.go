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
		c := &controller{settings: Settings{Logger: zap.NewNop(), Libraries: all.Libraries(), Offsets: offsets.Default()}}
		const ended = 1 << 30 // no process has this id
		p := c.attachFile(ended, path, id, 0)
		if p.leftAlone != want || p.attachment != nil || p.err != nil || p.vanished {
			t.Errorf("%s: %+v", has, p)
		}
	}
}

func TestWhatIsKnownToContainTheSDKIsNotOpenedAgain(t *testing.T) {
	id := model.ExeID{Dev: 1, Ino: 2}
	c := &controller{leftAlone: map[model.ExeID]bool{id: true}}
	file := &traced{id: id}
	c.prepare(file)
	if file.state != stateLeftAlone {
		t.Errorf("its state is %d", file.state)
	}
}
