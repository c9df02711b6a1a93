package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
)

func TestWhatAStageStartedIsGoneWhenItStops(t *testing.T) {
	b := binaries{bare: buildBare(t)}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for name, ctx := range map[string]context.Context{"after a run": t.Context(), "interrupted": canceled()} {
		s, err := startStage(ctx, b, setup{key: report.Bare, connections: 2})
		if (err != nil) != (ctx.Err() != nil) {
			t.Errorf("%s: %v", name, err)
		}
		pid := s.server.pid()
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
	bare := buildBare(t)
	made, err := makeCopies(bare, filepath.Join(t.TempDir(), "copies"), 3)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"short-00", "short-01", "short-02"}; !slices.Equal(made.services(), want) {
		t.Errorf("got %v, want %v", made.services(), want)
	}
	s := &stage{setup: setup{copies: made}, dir: t.TempDir()}
	got, err := s.runShort(t.Context(), 3)
	if want := (report.ShortLived{Processes: 3, Requests: 3 * requestsOfShort}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if err := os.Remove(made[1]); err != nil {
		t.Fatal(err)
	}
	if got, err := s.runShort(t.Context(), 3); err == nil || !strings.Contains(err.Error(), "short-01") {
		t.Errorf("of a binary that is gone: %+v, %v", got, err)
	}
}

func TestAShortLivedProcessThatDoesNotEndWellIsAnError(t *testing.T) {
	s := &stage{dir: t.TempDir()}
	crashing := filepath.Join(t.TempDir(), "crashing")
	if err := os.WriteFile(crashing, []byte("#!/bin/sh\nkill -SEGV $$\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.liveShortly(t.Context(), "crashing", crashing); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("got %v", err)
	}
}

func TestEveryKindOfLoadReachesTheServer(t *testing.T) {
	b := binaries{bare: buildBare(t)}
	for name, with := range map[string]setup{
		"without TLS": {key: report.Bare, connections: 8},
		"over TLS":    {key: report.Bare, connections: 8, tls: true},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := startStage(t.Context(), b, with)
			defer func() {
				if err := s.stop(); err != nil {
					t.Error(err)
				}
			}()
			if err != nil {
				t.Fatal(err)
			}
			o := http2Load(with.connections)
			o.Requests = 80
			if m, err := s.measure(t.Context(), o); err != nil || m.Answered != 80 || m.App <= 0 {
				t.Errorf("80 requests over HTTP/2: %+v, %v", m, err)
			}
		})
	}
}

func TestAChildThatEndsByItselfIsAnErrorThatShowsItsLog(t *testing.T) {
	p, err := launch(t.TempDir(), "server", exec.Command("sh", "-c", "echo no port is free >&2; exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	if line, err := p.ask(""); err == nil || !strings.Contains(err.Error(), "no port is free") {
		t.Errorf("it said %q: %v", line, err)
	}
	if err := p.stop(); err == nil || !strings.Contains(err.Error(), "ended by itself") {
		t.Errorf("stop: %v", err)
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// buildBare builds the bare server.
func buildBare(t *testing.T) string {
	t.Helper()
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	bare := filepath.Join(t.TempDir(), "bare")
	if _, err := goCommand(t.Context(), filepath.Join(root, "testbed", "bench", "server"), "build", "-o", bare, "./bare"); err != nil {
		t.Fatal(err)
	}
	return bare
}

func TestEveryKindOfCallIsMade(t *testing.T) {
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	b := binaries{bare: buildBare(t), bareCalls: filepath.Join(t.TempDir(), "barecalls")}
	b.peer = b.bareCalls
	if _, err := goCommand(t.Context(), filepath.Join(root, "testbed", "bench", "server"), "build", "-o", b.bareCalls, "./barecalls"); err != nil {
		t.Fatal(err)
	}
	for _, side := range roles {
		t.Run(side.name, func(t *testing.T) {
			c, err := startCalls(t.Context(), b, report.Bare, side, 4)
			defer func() {
				if err := c.stop(); err != nil {
					t.Error(err)
				}
			}()
			if err != nil {
				t.Fatal(err)
			}
			for _, kind := range side.kinds {
				m, err := c.call(kind, callOrder{Calls: 10})
				if err != nil || m.Sent != 10 || m.Answered != 10 || m.P50 <= 0 {
					t.Errorf("10 calls of the kind %q: %+v, %v", kind, m, err)
				}
				m, err = c.measure(t.Context(), kind, 100, 100*time.Millisecond)
				if err != nil || m.Due != 10 || m.Answered != m.Sent || m.App <= 0 {
					t.Errorf("100 calls a second of the kind %q, for a tenth of one: %+v, %v", kind, m, err)
				}
			}
		})
	}
}
