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
	"time"

	"github.com/spanprobe/spanprobe/testbed/harness/process"
)

// tree is the checkout: the directory of the root module.
type tree string

// findTree looks for the checkout from the working directory upwards.
func findTree() (tree, error) {
	dir, err := os.Getwd()
	for ; err == nil && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "builder-config.yaml")); err == nil {
			return tree(dir), nil
		}
	}
	return "", errors.Join(errors.New("run the demo from within a checkout of spanprobe"), err)
}

func (t tree) testbed(folder string) string { return filepath.Join(string(t), "testbed", folder) }
func (t tree) dist(name string) string      { return filepath.Join(string(t), "dist", name) }
func (t tree) collector() string            { return t.dist("otelcol-spanprobe") }

// buildCollector leaves a collector that is there alone: `make demo` has made it anew where that
// was needed.
func (d *demo) buildCollector(ctx context.Context) (string, error) {
	_, err := os.Stat(d.tree.collector())
	if !errors.Is(err, os.ErrNotExist) {
		return d.tree.collector(), err
	}
	return "built " + d.tree.collector(), build(ctx, string(d.tree), "make", "build")
}

// build builds one service after the other: most of their packages are the same. It answers as a
// step.
func (s *shop) build(ctx context.Context) (string, error) {
	for _, service := range s.services {
		output, pkg := filepath.Join(s.dir, service.name), "./demo/shop/"+service.name
		if err := buildGo(ctx, s.tree.testbed(""), output, pkg); err != nil {
			return "", err
		}
	}
	return "built its services in " + s.dir, nil
}

const jaegerModule = "github.com/jaegertracing/jaeger"

// buildJaeger builds Jaeger unless dist/ has the version that testbed/jaeger asks for.
func buildJaeger(ctx context.Context, tree tree) (string, error) {
	binary, module := tree.dist("jaeger"), tree.testbed("jaeger")
	version, err := goSays(ctx, module, "list", "-m", "-f", "{{.Version}}", jaegerModule)
	if err != nil {
		return "", err
	}
	info, err := buildinfo.ReadFile(binary)
	if err == nil && info.Main.Path == jaegerModule && info.Main.Version == version {
		return "found " + binary, nil
	}
	return "built " + binary, buildGo(ctx, module, binary, jaegerModule+"/cmd/jaeger")
}

// goSays is what the go command answers in a directory, whose go.mod may choose the toolchain.
func goSays(ctx context.Context, dir string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = dir
	var complaint bytes.Buffer
	command.Stderr = &complaint
	output, err := command.Output()
	if err != nil {
		err = fmt.Errorf("`%s` in %s: %w: %s", command, dir, err, &complaint)
	}
	return string(bytes.TrimSpace(output)), err
}

// buildGo builds a package of the module in dir. The output appears only when it is whole.
func buildGo(ctx context.Context, dir, output, pkg string) error {
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return err
	}
	partial := output + ".partial"
	defer os.Remove(partial) // it is gone when the build went well
	// Without cgo, the result does not depend on whether there is a C compiler.
	err := build(ctx, dir, "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-o", partial, pkg)
	if err != nil {
		return err
	}
	return os.Rename(partial, output)
}

// build runs a command that prints little but what went wrong.
func build(ctx context.Context, dir, name string, args ...string) error {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = dir
	// A build is many processes: they get the interrupt together, as from Ctrl-C.
	process.Group(command)
	command.Cancel = func() error { return process.InterruptGroup(command) }
	command.WaitDelay = 10 * time.Second // to end
	output, err := command.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("`%s` in %s: %w\n%s", command, dir, err, process.Tail(output))
}
