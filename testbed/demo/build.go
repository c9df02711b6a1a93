package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// buildGrace is how long a build that is interrupted may take to end.
const buildGrace = 10 * time.Second

// buildCollector leaves a collector that is there alone: `make demo` has made
// it anew where that was needed.
func buildCollector(ctx context.Context, t *terminal, tree tree) error {
	return t.step("collector", "building with ocb", func() (string, error) {
		_, err := os.Stat(tree.collector())
		switch {
		case err == nil:
			return tree.collector(), nil
		case !errors.Is(err, os.ErrNotExist):
			return "", err
		}
		return "built " + tree.collector(), build(ctx, string(tree), "make", "build")
	})
}

func buildShop(ctx context.Context, t *terminal, tree tree) error {
	shop := newShop(tree.shop())
	return t.step("shop", fmt.Sprintf("building its %d services", len(shop.services)), func() (string, error) {
		return "built its services in " + shop.dir, shop.build(ctx, tree)
	})
}

// build builds one service after the other: most of what they consist of is the same.
func (s *shop) build(ctx context.Context, tree tree) error {
	for _, service := range s.services {
		if err := buildGo(ctx, tree.testbed(), filepath.Join(s.dir, service.name), "./demo/shop/"+service.name); err != nil {
			return err
		}
	}
	return nil
}

const (
	jaegerModule  = "github.com/jaegertracing/jaeger"
	jaegerPackage = jaegerModule + "/cmd/jaeger"
)

// buildJaeger builds Jaeger unless dist/ has the version that testbed/jaeger
// asks for.
func buildJaeger(ctx context.Context, tree tree) (string, error) {
	command := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}}", jaegerModule)
	command.Dir = tree.jaegerModule()
	wanted, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("the version of Jaeger in %s: %w", tree.jaegerModule(), withStderr(err))
	}
	version := string(bytes.TrimSpace(wanted))
	if info, err := buildinfo.ReadFile(tree.jaeger()); err == nil && info.Main.Path == jaegerModule && info.Main.Version == version {
		return "found " + tree.jaeger(), nil
	}
	return "built " + tree.jaeger(), buildGo(ctx, tree.jaegerModule(), tree.jaeger(), jaegerPackage)
}

// buildGo builds a package of the module in dir. The output appears only when
// it is whole.
func buildGo(ctx context.Context, dir, output, pkg string) error {
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return err
	}
	partial := output + ".partial"
	defer os.Remove(partial) // it is gone when the build went well
	// Without cgo, what is built does not depend on whether there is a C compiler.
	if err := build(ctx, dir, "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-o", partial, pkg); err != nil {
		return err
	}
	return os.Rename(partial, output)
}

// build runs a command that prints little but what went wrong.
func build(ctx context.Context, dir, name string, args ...string) error {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = dir
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	// A build is many processes: they get the interrupt together, as from Ctrl-C.
	isolate(command)
	command.Cancel = func() error { return interruptGroup(command.Process.Pid) }
	command.WaitDelay = buildGrace
	err := command.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("`%s %s` in %s: %w\n%s", name, strings.Join(args, " "), dir, err, lastLines(output.Bytes()))
}

// withStderr adds what a command said to why it failed.
func withStderr(err error) error {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	return err
}
