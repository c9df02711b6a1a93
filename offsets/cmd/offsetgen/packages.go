package main

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/types"
	"os"
	"path/filepath"
	"strings"
)

// Import and ImportFrom make the checker a types.ImporterFrom.
func (c *checker) Import(path string) (*types.Package, error) { return c.ImportFrom(path, "", 0) }

// ImportFrom loads a package that another one in a folder imports.
func (c *checker) ImportFrom(path, importer string, _ types.ImportMode) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	return c.load(c.folder(path, importer), path)
}

// folder is where the sources of a package are, if it exists, as one in the
// folder importer sees it. The standard library has copies of its own of some
// modules.
func (c *checker) folder(path, importer string) string {
	sources := filepath.Join(c.context.GOROOT, "src")
	if within(sources, importer) {
		if vendored := filepath.Join(sources, "vendor", path); exists(vendored) {
			return vendored
		}
	} else if folder := c.modules.folder(path); folder != "" {
		return folder
	}
	return filepath.Join(sources, path)
}

func exists(folder string) bool {
	_, err := os.Stat(folder)
	return err == nil
}

func within(parent, folder string) bool {
	return folder == parent || strings.HasPrefix(folder, parent+string(filepath.Separator))
}

// load parses and checks the package in a folder, without function bodies.
func (c *checker) load(folder, path string) (*types.Package, error) {
	if loaded := c.loaded[folder]; loaded != nil {
		return loaded, nil
	}
	if c.ofGo != nil && within(c.context.GOROOT, folder) {
		return c.ofGo.load(folder, path)
	}
	found, err := c.context.ImportDir(folder, 0)
	if err != nil {
		return nil, err
	}
	var parsed []*ast.File
	var errs []error
	for _, name := range found.GoFiles {
		// A newer release's syntax may be more than this parser knows. The parsed
		// part of the file is used, and no struct of the package is believed.
		file, err := parser.ParseFile(c.files, filepath.Join(folder, name), nil,
			parser.SkipObjectResolution)
		if err != nil {
			errs = append(errs, err)
		}
		if file != nil {
			parsed = append(parsed, file)
		}
	}
	config := types.Config{
		IgnoreFuncBodies: true,
		FakeImportC:      true,
		Importer:         c,
		Sizes:            c.sizes,
		Error:            func(err error) { errs = append(errs, err) },
	}
	// The error is the first of those that Error collects.
	loaded, _ := config.Check(path, c.files, parsed, nil)
	c.loaded[folder] = loaded
	if c.ofGo != nil {
		c.own[loaded] = within(c.modules.folders[c.modules.examined], folder)
	}
	if len(errs) > 0 {
		c.failed[loaded] = errors.Join(errs...)
	}
	return loaded, nil
}
