//go:build linux && amd64 && matrix

package binaries

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

func TestWhatAProfileHadInlinedIsLeftOutAndAllElseIsTraced(t *testing.T) {
	const why = "net/http: net/http.(*response).finishRequest: the compiler has inlined calls of it into net/http.(*conn).serve"
	executable := build(t, program{
		source: grpcSource, module: requiredGRPC,
		files: map[string]string{"default.pgo": profile(t)},
	})
	_, planned := target.Plan(t, executable)
	for _, l := range planned.Libraries {
		if left := l.LeftOut != ""; left != (l.Library == "net/http") {
			t.Errorf("%s is left out: %q", l.Library, l.LeftOut)
		}
	}
	server := target.Start(t, executable)
	logger, log := recorded()
	tracer := tracing.StartWith(t, engine.Config{Targets: []engine.Target{{
		PID:         server.PID,
		ServiceName: "shop",
	}}}, logger, nil)
	tracer.AwaitTracing(t, 1)
	tracing.Eventually(t, func() bool {
		return strings.Contains(log(), why)
	}, "the log to say what is left out")
	tracedCall(t, tracer, server)
}

func TestAProgramWhoseProfileHadNothingInlinedThatIsHookedIsTraced(t *testing.T) {
	grinding := map[string]string{"grind.go": grind}
	made := filepath.Join(t.TempDir(), "cpu.pgo")
	run(t, "/", []string{"GRIND=" + made}, build(t, program{source: serverSource, files: grinding}))
	content, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	grinding["default.pgo"] = string(content)
	executable := build(t, program{source: serverSource, files: grinding})
	if !inlines(t, executable, "main.mix") {
		t.Error("the profile had no effect")
	}
	_, planned := target.Plan(t, executable)
	for _, l := range planned.Libraries {
		if l.LeftOut != "" {
			t.Errorf("%s is left out: %s", l.Library, l.LeftOut)
		}
	}
	server := target.Start(t, executable)
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{
		PID:         server.PID,
		ServiceName: "shop",
	}}})
	tracer.AwaitTracing(t, 1)
	traced(t, tracer, server)
}

// grind has a program make a profile of what it does besides serving. Without a profile
// the compiler does not inline mix.
const grind = `package main

import (
	"log"
	"os"
	"runtime/pprof"
)

func init() {
	path := os.Getenv("GRIND")
	if path == "" {
		return
	}
	file, err := os.Create(path)
	if err != nil {
		log.Fatal(err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		log.Fatal(err)
	}
	sum := uint64(0)
	for i := uint64(0); i < 50_000_000; i++ {
		sum = mix(sum, i)
	}
	pprof.StopCPUProfile()
	if err := file.Close(); err != nil || sum == 0 {
		log.Fatal(err, sum)
	}
	os.Exit(0)
}

func mix(sum, i uint64) uint64 {
	for _, by := range [...]uint64{3, 5, 7} {
		if sum&by == 0 {
			sum += i << by
		} else {
			sum ^= i >> by
		}
		sum = sum<<13 | sum>>51
		sum += by*i ^ (sum >> 7) ^ (sum << 9) ^ (i << by)
		sum ^= (sum >> 11) + (i << 3) - (by * sum) + (sum & i)
		sum -= (sum >> 17) ^ (i >> 5) ^ (by + sum) ^ (sum | i)
	}
	return sum
}
`

// inlines tells whether the compiler has inlined calls of a function.
func inlines(t *testing.T, executable, function string) bool {
	t.Helper()
	inspected := target.Inspect(t, executable)
	b, err := inspected.Binary([]string{function})
	if err != nil {
		t.Fatal(err)
	}
	return b.Inlined[function] != ""
}
