package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
	"github.com/spanprobe/spanprobe/testbed/harness/process"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

func TestWhatAStageStartedIsGoneWhenItStops(t *testing.T) {
	b := buildPrograms(t, "bare")
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for name, ctx := range map[string]context.Context{
		"after a run": t.Context(), "interrupted": canceled(),
	} {
		s, err := startStage(ctx, b, 2, setup{subject: server, key: report.Bare})
		if (err != nil) != (ctx.Err() != nil) {
			t.Errorf("%s: %v", name, err)
		}
		pid := s.measured.PID
		if err := s.stop(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); !os.IsNotExist(err) {
			t.Errorf("%s: process %d is still there: %v", name, pid, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s: %v is left, %v", name, left, err)
		}
	}
}

func TestShortLivedProcessesAreOfAllCopiesAndAnswerTheirRequests(t *testing.T) {
	made, err := makeCopies(
		buildPrograms(t, "bare").path("bare"),
		filepath.Join(t.TempDir(), "copies"),
		3,
	)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"short-00", "short-01", "short-02"} {
		if got := filepath.Base(made[i]); got != want || len(made) != 3 {
			t.Errorf("%s is one of %d, want %s", got, len(made), want)
		}
	}
	s := &stage{ctx: t.Context(), setup: setup{copies: made}, binaries: binaries{dir: t.TempDir()}}
	got, err := s.runShort(3)
	want := report.ShortLived{Processes: 3, Requests: 3 * report.RequestsOfShort}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if err := os.Remove(made[1]); err != nil {
		t.Fatal(err)
	}
	if got, err := s.runShort(3); err == nil || !strings.Contains(err.Error(), "short-01") {
		t.Errorf("of a binary that is gone: %+v, %v", got, err)
	}
}

func TestAShortLivedProcessThatDoesNotEndWellIsAnError(t *testing.T) {
	s := &stage{binaries: binaries{dir: t.TempDir()}}
	crashing := filepath.Join(t.TempDir(), "crashing")
	if err := os.WriteFile(crashing, []byte("#!/bin/sh\nkill -SEGV $$\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.liveShortly(t.Context(), "crashing", crashing); err == nil ||
		!strings.Contains(err.Error(), "ended") {
		t.Errorf("got %v", err)
	}
}

func TestEveryKindOfLoadReachesTheServer(t *testing.T) {
	b := buildPrograms(t, "bare")
	s, err := startStage(t.Context(), b, 8, setup{subject: server, key: report.Bare})
	defer func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	}()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range server.kinds {
		m, err := s.measure(kind, load.Options{Requests: 80})
		if err != nil || m.Answered != 80 || m.App <= 0 {
			t.Errorf("%s: 80 requests: %+v, %v", kind, m, err)
		}
	}
}

func TestAChildThatEndsByItselfIsAnErrorThatShowsItsLog(t *testing.T) {
	for _, status := range []string{"0", "3"} {
		command := exec.Command("sh", "-c", "echo no port is free >&2; exit "+status)
		p, err := binaries{dir: t.TempDir()}.start("server", command)
		if err != nil {
			t.Fatal(err)
		}
		if line, err := p.Line(answerDeadline); err == nil ||
			!strings.Contains(err.Error(), "no port is free") {
			t.Errorf("status %s: it said %q: %v", status, line, err)
		}
		s := stage{processes: []*process.Process{p}}
		if err := s.stop(); err == nil || !strings.Contains(err.Error(), "ended by itself") {
			t.Errorf("status %s: stop: %v", status, err)
		}
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// buildPrograms builds programs of the module in server.
func buildPrograms(t *testing.T, names ...string) binaries {
	t.Helper()
	root, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	b := binaries{dir: t.TempDir()}
	for _, name := range names {
		if err := b.buildServer(t.Context(), root, name); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestEveryKindOfCallIsMade(t *testing.T) {
	b := buildPrograms(t, "bare", "barecalls")
	if err := copyFile(b.path("barecalls"), b.path("peer")); err != nil {
		t.Fatal(err)
	}
	for _, side := range []subject{clients, servers} {
		t.Run(side.name, func(t *testing.T) {
			c, err := startStage(t.Context(), b, 4, setup{subject: side, key: report.Bare})
			defer func() {
				if err := c.stop(); err != nil {
					t.Error(err)
				}
			}()
			if err != nil {
				t.Fatal(err)
			}
			for _, kind := range side.kinds {
				m, err := c.send(kind, load.Options{Requests: 10})
				if err != nil || m.Sent != 10 || m.Answered != 10 || m.P50 <= 0 {
					t.Errorf("10 calls of the kind %q: %+v, %v", kind, m, err)
				}
				m, err = c.measure(kind, load.Options{Rate: 100, Duration: 100 * time.Millisecond})
				if err != nil || m.Due != 10 || m.Answered != m.Sent || m.App <= 0 {
					t.Errorf(
						"100 calls a second of the kind %q, for a tenth of one: %+v, %v",
						kind,
						m,
						err,
					)
				}
			}
		})
	}
}
