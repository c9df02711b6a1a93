package soak

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/prometheus/procfs"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

const (
	// held is how many requests the hostile process never answers: nearly all that it may have.
	held = 16000
	// flooding is how many connections it sends other requests over, as fast as they are answered.
	flooding = 2
	// mostEntry is how many bytes of a map each of these may take.
	mostEntry = 4096
)

// startHostile runs a process of an unprivileged user, which takes all that it can get of what
// processes share. It stands still until it is let loose.
func (s *soak) startHostile(t *testing.T, executable string) {
	t.Helper()
	const nobody = 65534
	// It need not take the processors from others: the kernel shares those.
	command := exec.Command("nice", "-n", "19", executable)
	command.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: nobody, Gid: nobody},
	}
	s.hostile = target.StartCommand(t, command, nil)
	t.Cleanup(func() { s.signal(t, syscall.SIGCONT) })
	s.staying++
	s.tracer.AwaitTracing(t, s.staying)
	s.spans.expectHostile(s.hostile.PID)
	s.hostile.Ask(t, fmt.Sprint("hold ", held))
	tracing.Eventually(t, func() bool { return s.hostile.Served(t) == held },
		"%d requests of the hostile process", held)
	s.hostile.Ask(t, fmt.Sprint("answer ", flooding))
}

// placeHostile puts the executable where an unprivileged user may run it.
func placeHostile(t *testing.T) string {
	t.Helper()
	program, err := os.ReadFile(target.Own(t, "flooder"))
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "spanprobe-soak-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	executable := filepath.Join(folder, "hostile")
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(executable, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return executable
}

func (s *soak) signal(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(s.hostile.PID, signal); err != nil {
		t.Error(err)
	}
}

// stopHostile has the hostile process stand still, with all of its threads.
func (s *soak) stopHostile(t *testing.T) {
	t.Helper()
	s.signal(t, syscall.SIGSTOP)
	tracing.Eventually(t, func() bool {
		threads, err := procfs.AllThreads(s.hostile.PID)
		if err != nil {
			t.Fatal(err)
		}
		for _, thread := range threads {
			if stat, err := thread.Stat(); err != nil || stat.State != "T" {
				return false
			}
		}
		return true
	}, "the hostile process to stand still")
}

// lost is how much was lost, but for want of room. Nothing else than room does the hostile process
// lack, and it alone: the calls of all others are accounted for.
func lost(stats engine.Stats) uint64 {
	return tracing.Lost(stats) - stats.Lost[engine.LostActiveSpansFull] -
		stats.Lost[engine.LostRingBufferFull]
}

// ofOthers counts the operations in flight of all other processes.
func (s *soak) ofOthers(t *testing.T) int {
	t.Helper()
	return s.entries(t, map[string]int{"operations": 0})["operations"]
}
