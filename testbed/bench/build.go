package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/harness/collector"
)

// binaries are the programs of a run.
type binaries struct {
	dir       string   // of all but the collector
	otelcol   string   // the collector that `make build` makes
	copied    []string // copies of the bare server
	goVersion string   // that built the servers
}

// Names of programs that are only inspected: one that is made for that, and the same as if built
// by a release of Go that no table has.
const (
	largeProgram = "large"
	ofNoGo       = "large, by an unknown Go"
)

// path is that of a program: "bare" and "byhand" serve HTTP, "barecalls" and "byhandcalls" make
// calls or serve them, "peer" is a copy of barecalls which nobody traces, and "spanprobe" inspects.
func (b binaries) path(name string) string { return filepath.Join(b.dir, name) }

// build builds into dir what the run needs and `make build` does not.
func build(ctx context.Context, root, dir string) (b binaries, err error) {
	b = binaries{dir: dir, otelcol: collector.Binary(root)}
	if _, err := os.Stat(b.otelcol); err != nil {
		return b, fmt.Errorf("there is no collector: `make build` makes it: %w", err)
	}
	inspector := b.path("spanprobe")
	_, err = goCommand(ctx, root, "build", "-trimpath", "-o", inspector, "./cmd/spanprobe")
	if err != nil {
		return b, err
	}
	for _, name := range serverPrograms {
		if err := b.buildServer(ctx, root, name); err != nil {
			return b, err
		}
	}
	if err := copyFile(b.path("barecalls"), b.path("peer")); err != nil {
		return b, err
	}
	if b.copied, err = makeCopies(b.path("bare"), b.path("copies"), report.Copies); err != nil {
		return b, err
	}
	if b.goVersion, err = goCommand(ctx, testbed(root), "env", "GOVERSION"); err != nil {
		return b, err
	}
	sources := b.path("sources")
	if err := asLargeAsTheyCome.build(ctx, sources, b.path(largeProgram)); err != nil {
		return b, err
	}
	if err := os.RemoveAll(sources); err != nil {
		return b, err
	}
	return b, ofNoRelease(b.path(largeProgram), b.path(ofNoGo), b.goVersion)
}

// serverPrograms are bare, or instrumented by hand.
var serverPrograms = []string{"bare", "byhand", "barecalls", "byhandcalls"}

// buildServer builds one of them.
func (b binaries) buildServer(ctx context.Context, root, name string) error {
	how, calls := strings.CutSuffix(name, "calls")
	source := "./bench/server/hello"
	if calls {
		source = "./bench/server/calls"
	}
	_, err := goCommand(ctx, testbed(root),
		"build", "-trimpath", "-tags="+how, "-o", b.path(name), source)
	return err
}

func testbed(root string) string { return filepath.Join(root, "testbed") }

func goCommand(ctx context.Context, dir string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir, command.Stderr = dir, os.Stderr
	output, err := command.Output()
	if err != nil {
		err = fmt.Errorf("go %s: %w", strings.Join(arguments, " "), err)
	}
	return strings.TrimSpace(string(output)), err
}

// copyFile makes a copy that can be executed.
func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o755)
}
