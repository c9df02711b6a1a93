package faults

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// A file with a new time stamp is another one: it is examined anew.
func TestAFileThatIsTouchedAndRunInALoopIsExaminedEverMoreSeldom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server")
	place(t, target.MustCompile(t, build), path)
	var examined atomic.Int64
	logger := zaptest.NewLogger(t, zaptest.WrapOptions(zap.Hooks(func(entry zapcore.Entry) error {
		if entry.Message == "Examining the file of a target" {
			examined.Add(1)
		}
		return nil
	})))
	config := engine.Config{Targets: []engine.Target{{Exe: path}}}
	tracer := tracing.StartWith(t, config, logger, nil)
	stamp, runs := time.Now(), 0
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); runs++ {
		stamp = stamp.Add(time.Second)
		if err := os.Chtimes(path, time.Time{}, stamp); err != nil {
			t.Fatal(err)
		}
		server, err := target.Run(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}
	n, delayed := examined.Load(), tracer.MustStats(t).PreparationsDelayed
	t.Logf("examined %d times in %d runs, delayed %d times", n, runs, delayed)
	if n < 2 || n > 6 || runs < 10 || delayed == 0 {
		t.Errorf("examined %d times in %d runs, delayed %d times", n, runs, delayed)
	}
	// Its next process is traced all the same.
	server := target.Start(t, path)
	tracer.AwaitTracing(t, 1)
	if err := server.Get("/hello/there"); err != nil {
		t.Fatal(err)
	}
	tracer.Await(t, 1)
}
