package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// binaries are the programs of a run.
type binaries struct {
	collector string // that `make build` makes
	bare      string
	copies    copies // of bare
	byHand    string

	bareCalls   string
	byHandCalls string
	peer        string // a copy of bareCalls, which nobody traces

	inspector string // cmd/spanprobe
	large     string // which is only inspected
	ofNoGo    string // the same, as if built by a release of Go that no table has
	goVersion string // that built the servers
}

// findRoot finds the repository's root: the working directory or one above it.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "builder-config.yaml")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("run the benchmark inside the repository: `make bench`")
		}
		dir = parent
	}
}

// build builds into dir what the run needs and `make build` does not.
func build(ctx context.Context, root, dir string, o *options) (binaries, error) {
	b := binaries{
		collector: o.collector,
		bare:      filepath.Join(dir, "bare"),
		byHand:    filepath.Join(dir, "byhand"),
		bareCalls: filepath.Join(dir, "barecalls"), byHandCalls: filepath.Join(dir, "byhandcalls"), peer: filepath.Join(dir, "peer"),
		inspector: filepath.Join(dir, "spanprobe"),
		large:     filepath.Join(dir, "large"), ofNoGo: filepath.Join(dir, "large, by an unknown Go"),
	}
	if b.collector == "" {
		b.collector = filepath.Join(root, "dist", "otelcol-spanprobe")
	}
	if _, err := os.Stat(b.collector); err != nil {
		return b, fmt.Errorf("there is no collector: `make build` makes it: %w", err)
	}
	servers := filepath.Join(root, "testbed", "bench", "server")
	for _, step := range []struct{ module, source, output string }{
		{servers, "./bare", b.bare},
		{servers, "./byhand", b.byHand},
		{servers, "./barecalls", b.bareCalls},
		{servers, "./byhandcalls", b.byHandCalls},
		{root, "./cmd/spanprobe", b.inspector},
	} {
		if _, err := goCommand(ctx, step.module, "build", "-trimpath", "-o", step.output, step.source); err != nil {
			return b, err
		}
	}
	if err := copyFile(b.bareCalls, b.peer); err != nil {
		return b, err
	}
	var err error
	if b.copies, err = makeCopies(b.bare, filepath.Join(dir, "copies"), copiesMade); err != nil {
		return b, err
	}
	version, err := goCommand(ctx, servers, "env", "GOVERSION")
	if err != nil {
		return b, err
	}
	b.goVersion = strings.TrimSpace(version)
	sources := filepath.Join(dir, "sources")
	if err := asLargeAsTheyCome.build(ctx, sources, b.large); err != nil {
		return b, err
	}
	return b, errors.Join(ofNoRelease(b.large, b.ofNoGo, b.goVersion), os.RemoveAll(sources))
}

func goCommand(ctx context.Context, dir string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = dir
	output, err := command.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w\n%s", err, exit.Stderr)
		}
		return "", fmt.Errorf("go %s: %w", strings.Join(arguments, " "), err)
	}
	return string(output), nil
}
