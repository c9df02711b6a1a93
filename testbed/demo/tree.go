package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
)

// tree is the checkout: the directory of the root module.
type tree string

// findTree looks for the checkout from the working directory upwards.
func findTree() (tree, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(mod, []byte("module github.com/spanprobe/spanprobe\n")) {
			return tree(dir), nil
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("run the demo from within a checkout of spanprobe")
		}
		dir = parent
	}
}

func (t tree) path(elements ...string) string {
	return filepath.Join(append([]string{string(t)}, elements...)...)
}

func (t tree) testbed() string      { return t.path("testbed") }
func (t tree) jaegerModule() string { return t.path("testbed", "jaeger") }
func (t tree) collector() string    { return t.path("dist", "otelcol-spanprobe") }
func (t tree) shop() string         { return t.path("dist", "shop") }
func (t tree) jaeger() string       { return t.path("dist", "jaeger") }
func (t tree) spanprobe() string    { return t.path("dist", "spanprobe") }
