package main

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
)

// layout is what was found in one release, by field and architecture.
type layout map[string]map[model.Arch]place

// place is where a field is. Kind is its type's kind: an offset is of no use if
// what lies there has become something else.
type place struct {
	Exists bool
	Offset int64  `json:",omitempty"`
	Kind   string `json:",omitempty"`
}

// checker computes struct layouts from the sources of one release with the type
// checker, as the compiler does.
type checker struct {
	context build.Context
	sizes   types.Sizes
	files   *token.FileSet
	loaded  map[string]*loadedPackage // by folder
}

type loadedPackage struct {
	types  *types.Package
	errors []error // of the type checker; they matter only if a wanted struct is not whole
}

func newChecker(ctx context.Context, root, version string, arch model.Arch) (*checker, error) {
	c := &checker{context: build.Default, sizes: types.SizesFor("gc", string(arch)), files: token.NewFileSet(), loaded: map[string]*loadedPackage{}}
	c.context.GOROOT, c.context.GOPATH = root, ""
	c.context.GOOS, c.context.GOARCH = "linux", string(arch)
	c.context.CgoEnabled = false
	c.context.ReleaseTags = nil
	for minor := 1; minor <= number(version, 1); minor++ {
		c.context.ReleaseTags = append(c.context.ReleaseTags, fmt.Sprintf("go1.%d", minor))
	}
	// Its own go command knows which experiments are on by default.
	command := exec.CommandContext(ctx, filepath.Join(root, "bin", "go"), "list", "-f", `{{join context.ToolTags " "}}`, "unsafe")
	command.Env = append(os.Environ(), "GOROOT="+root, "GOTOOLCHAIN=local", "GOARCH="+string(arch), "GOFLAGS=", "GOEXPERIMENT=")
	command.Dir = os.TempDir()
	tags, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("ask for its build tags: %w", err)
	}
	c.context.ToolTags = strings.Fields(string(tags))
	return c, nil
}

// field finds a field. A package, a struct or a field that is not there is an
// answer; one that cannot be understood is an error.
func (c *checker) field(field model.Field) (place, error) {
	folder := filepath.Join(c.context.GOROOT, "src", field.Package)
	if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
		return place{}, nil
	}
	loaded, err := c.load(folder, field.Package)
	if err != nil {
		return place{}, err
	}
	object := loaded.types.Scope().Lookup(field.Struct)
	if object == nil {
		return place{}, nil
	}
	described, ok := object.Type().Underlying().(*types.Struct)
	if !ok {
		return place{}, fmt.Errorf("%s is no struct", object.Type())
	}
	fields := make([]*types.Var, described.NumFields())
	index := -1
	for i := range fields {
		fields[i] = described.Field(i)
		if fields[i].Name() == field.Field {
			index = i
		}
	}
	if index < 0 {
		return place{}, nil
	}
	for _, f := range fields[:index+1] {
		if !whole(f.Type(), map[types.Type]bool{}) {
			return place{}, errors.Join(append([]error{fmt.Errorf("the type of %s is not known", f)}, loaded.errors...)...)
		}
	}
	return place{Exists: true, Offset: c.sizes.Offsetsof(fields)[index], Kind: kind(fields[index].Type())}, nil
}

// whole tells whether a type's size is known: nothing in it is invalid.
func whole(t types.Type, seen map[types.Type]bool) bool {
	if seen[t] {
		return true
	}
	seen[t] = true
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return u.Kind() != types.Invalid
	case *types.Array:
		return u.Len() >= 0 && whole(u.Elem(), seen)
	case *types.Struct:
		for i := range u.NumFields() {
			if !whole(u.Field(i).Type(), seen) {
				return false
			}
		}
	}
	return true
}

// kind names what a program reads at a field.
func kind(t types.Type) string {
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return u.Name()
	case *types.Pointer:
		return "pointer"
	case *types.Map:
		return "map"
	case *types.Slice:
		return "slice"
	case *types.Interface:
		return "interface"
	case *types.Struct:
		return "struct"
	default:
		return fmt.Sprintf("%T", u)
	}
}

// Import and ImportFrom make the checker a types.ImporterFrom.
func (c *checker) Import(path string) (*types.Package, error) { return c.ImportFrom(path, "", 0) }

// ImportFrom loads a package that another one in folder imports.
func (c *checker) ImportFrom(path, folder string, _ types.ImportMode) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	source := filepath.Join(c.context.GOROOT, "src", path)
	if _, err := os.Stat(source); err != nil {
		source = filepath.Join(c.context.GOROOT, "src", "vendor", path)
	}
	loaded, err := c.load(source, path)
	if err != nil {
		return nil, err
	}
	return loaded.types, nil
}

// load parses and checks the package in a folder, without function bodies.
func (c *checker) load(folder, path string) (*loadedPackage, error) {
	if loaded := c.loaded[folder]; loaded != nil {
		return loaded, nil
	}
	found, err := c.context.ImportDir(folder, 0)
	if err != nil {
		return nil, err
	}
	loaded := &loadedPackage{}
	var parsed []*ast.File
	for _, name := range found.GoFiles {
		// A newer release's syntax may be more than this parser knows: what it
		// makes of the file is used, and what it leaves out shows as unknown.
		file, err := parser.ParseFile(c.files, filepath.Join(folder, name), nil, parser.SkipObjectResolution)
		if err != nil {
			loaded.errors = append(loaded.errors, err)
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
		Error:            func(err error) { loaded.errors = append(loaded.errors, err) },
	}
	// The error is the first of those that Error collects.
	loaded.types, _ = config.Check(path, c.files, parsed, nil)
	c.loaded[folder] = loaded
	return loaded, nil
}
