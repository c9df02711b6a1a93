//go:build linux && (amd64 || arm64)

package engine

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

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
		p := newPreparer(Config{}, settings, nil, nil, nil).prepare(&attempt{}, nobody, path, id)
		if p.event != preparedSDK || p.symbol != want || p.probes != nil || p.err != nil {
			t.Errorf("%s: %+v", has, p)
		}
	}
}

// A FIFO without a writer stands for a file whose file system does not answer: nothing but its
// other end lets whoever opens it go on.
func TestAFileThatCannotBeReadKeepsNothingElseWaiting(t *testing.T) {
	settings := Settings{
		Logger: zap.NewNop(), Libraries: all.Libraries(), Offsets: offsets.Default(),
	}
	r := newPreparer(Config{}, settings, nil, nil, nil)
	r.time = 100 * time.Millisecond
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	id, err := discover.FileID(fifo)
	if err != nil {
		t.Fatal(err)
	}
	try := func(id model.ExeID) preparation {
		r.start(&executable{id: id}, nobody, fifo)
		return <-r.prepared
	}
	if p := try(id); p.event != refusedForNow || !errors.Is(p.err, errNoAnswer) {
		t.Errorf("a file that does not answer: %+v", p)
	}
	if p := try(id); !errors.Is(p.err, errDevice) {
		t.Errorf("again: %+v", p)
	}
	elsewhere := id
	elsewhere.Dev++
	if p := try(elsewhere); p.event != processesVanished {
		t.Errorf("a file of another device: %+v", p)
	}
	for device := range uint64(maxUnanswered - 1) {
		r.count(1<<32+device, 1)
	}
	if p := try(elsewhere); !errors.Is(p.err, errTooMany) {
		t.Errorf("with %d files that do not answer, another: %+v", maxUnanswered, p)
	}

	writer, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	for r.refuse(id.Dev) != nil {
		time.Sleep(time.Millisecond)
	}

	stop := make(chan struct{})
	r.stop, r.time = stop, time.Hour
	close(stop)
	if p := try(id); p.event != processesVanished {
		t.Errorf("a file that does not answer when tracing stops: %+v", p)
	}
	if writer, err = os.OpenFile(fifo, os.O_WRONLY|unix.O_NONBLOCK, 0); err == nil {
		err = writer.Close()
	}
	if err != nil && !errors.Is(err, unix.ENXIO) { // the attempt may not have begun
		t.Error(err)
	}
}

func TestAFileThatIsAnotherByNowIsNotOpened(t *testing.T) {
	path, id := placeServer(t)
	if file, err := openIfSame(path, id); err != nil {
		t.Error(err)
	} else if err := file.Close(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(path, 0o600); err != nil { // to open it would hang
		t.Fatal(err)
	}
	if _, err := openIfSame(path, id); !errors.Is(err, errAnotherFile) {
		t.Errorf("a FIFO in its place: %v", err)
	}
}
