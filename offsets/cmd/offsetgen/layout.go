package main

import (
	"fmt"
	"go/build"
	"go/token"
	"go/types"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
)

// layout is what was found in one release, by field and architecture.
type layout map[string]map[model.Arch]place

// place is where a field is. Kind is that of kindOf: an offset is of no use if what
// lies there has become something else.
type place struct {
	Exists bool
	Offset int64  `json:",omitempty"`
	Kind   string `json:"Type,omitempty"` // what it was called once did not say all of it
}

// checker computes struct layouts from the sources of one release, of Go or of a
// module, with the type checker, as the compiler does.
type checker struct {
	context build.Context
	sizes   types.Sizes
	files   *token.FileSet
	loaded  map[string]*types.Package // by folder
	failed  map[*types.Package]error  // those of them that did not parse or check

	// The rest is for a module.
	ofGo    *checker // for the packages of Go itself
	modules modules
	own     map[*types.Package]bool // those of the loaded ones that are of the examined module
}

// newChecker makes a checker for the release of Go in root; toolTags are the
// build tags that its experiments set.
func newChecker(root, version string, arch model.Arch, toolTags []string) *checker {
	c := &checker{
		context: build.Default, sizes: types.SizesFor("gc", string(arch)),
		files: token.NewFileSet(), loaded: map[string]*types.Package{},
		failed: map[*types.Package]error{},
	}
	c.context.GOROOT, c.context.GOPATH = root, ""
	c.context.GOOS, c.context.GOARCH = "linux", string(arch)
	c.context.CgoEnabled = false
	c.context.ReleaseTags = releaseTags(number(version, 1))
	c.context.ToolTags = toolTags
	return c
}

// forModule makes a checker for a release of a module, which has the packages of
// Go from this one.
func (c *checker) forModule(m modules) *checker {
	made := &checker{
		context: c.context, sizes: c.sizes, files: token.NewFileSet(),
		loaded: map[string]*types.Package{}, failed: map[*types.Package]error{},
	}
	made.ofGo, made.modules, made.own = c, m, map[*types.Package]bool{}
	made.context.ReleaseTags = releaseTags(modulesSeenBy)
	return made
}

// releaseTags are the build tags that a minor release of Go 1 sets.
func releaseTags(minor int) []string {
	var tags []string
	for m := 1; m <= minor; m++ {
		tags = append(tags, fmt.Sprintf("go1.%d", m))
	}
	return tags
}

// field finds a field. A package, a struct or a field that is not there is an
// answer; one that cannot be understood is an error.
func (c *checker) field(field model.Field) (place, error) {
	folder := c.folder(field.Package, "")
	if !exists(folder) {
		return place{}, nil
	}
	loaded, err := c.load(folder, field.Package)
	if err != nil {
		return place{}, err
	}
	if err := c.failure(loaded); err != nil {
		return place{}, fmt.Errorf("its package is not understood: %w", err)
	}
	if function, ok := strings.CutSuffix(field.Field, "()"); ok {
		return place{
			Exists: hasFunction(loaded.Scope(), field.Struct, function), Kind: "function",
		}, nil
	}
	object := loaded.Scope().Lookup(field.Struct)
	if object == nil {
		return place{}, nil
	}
	described, ok := object.Type().Underlying().(*types.Struct)
	if !ok {
		return place{}, fmt.Errorf("%s is no struct", object.Type())
	}
	name, pointer := strings.CutPrefix(field.Field, "*")
	fields := make([]*types.Var, described.NumFields())
	index := -1
	for i := range fields {
		fields[i] = described.Field(i)
		if fields[i].Name() == name {
			index = i
		}
	}
	if index < 0 || pointer && !isPointer(fields[index].Type()) {
		return place{}, nil
	}
	for _, f := range fields[:index+1] {
		if err := c.whole(f.Type()); err != nil {
			return place{}, fmt.Errorf("because of the field %s: %w", f.Name(), err)
		}
	}
	return place{
		Exists: true, Offset: c.sizes.Offsetsof(fields)[index], Kind: kindOf(fields[index].Type()),
	}, nil
}

// hasFunction tells whether a package declares a function, if receiver is "func", or
// else a method of the type's pointers: probe.Mark.
func hasFunction(scope *types.Scope, receiver, name string) bool {
	if receiver == "func" {
		_, ok := scope.Lookup(name).(*types.Func)
		return ok
	}
	object := scope.Lookup(receiver)
	if object == nil {
		return false
	}
	named, ok := object.Type().(*types.Named)
	if !ok {
		return false
	}
	for method := range named.Methods() {
		if method.Name() == name {
			return true
		}
	}
	return false
}

// failure is why a loaded package is not understood.
func (c *checker) failure(loaded *types.Package) error {
	if err := c.failed[loaded]; err != nil || c.ofGo == nil {
		return err
	}
	return c.ofGo.failure(loaded)
}

// whole tells whether the size of a type is certain: nothing that lies in it is
// invalid or was declared in a package with errors, in which a field may have
// been lost without a trace. A type that it only points to does not matter, and so
// errors elsewhere do no harm: math/rand/v2 of Go 1.27 has a method with type
// parameters, which the type checker of Go 1.26 refuses.
func (c *checker) whole(t types.Type) error {
	if named, ok := t.(interface{ Obj() *types.TypeName }); ok {
		if err := c.failure(named.Obj().Pkg()); err != nil {
			return fmt.Errorf("the package of %s is not understood: %w", t, err)
		}
		if _, ok := t.Underlying().(*types.Struct); ok && c.ofGo != nil &&
			!c.own[named.Obj().Pkg()] {
			return c.steady(named.Obj())
		}
	}
	if alias, ok := t.(*types.Alias); ok {
		return c.whole(alias.Rhs())
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		if u.Kind() == types.Invalid {
			return fmt.Errorf("the type %s is not known", t)
		}
	case *types.Array:
		if u.Len() < 0 {
			return fmt.Errorf("the length of %s is not known", t)
		}
		return c.whole(u.Elem())
	case *types.Struct:
		for f := range u.Fields() {
			if err := c.whole(f.Type()); err != nil {
				return err
			}
		}
	}
	return nil
}

// steadyStructs are the sizes, in bytes, of structs that are of the same size in
// all releases of Go from 1.17 on that have them. sync.WaitGroup (Go 1.18) and
// sync.Map (1.20 and 1.24) are not.
var steadyStructs = map[string]int64{
	"bytes.Buffer": 40,
	// The first field of every message, in all releases of protobuf that have it.
	"google.golang.org/protobuf/runtime/protoimpl.MessageState": 8,
	"strings.Builder":     32,
	"sync.Mutex":          8,
	"sync.Once":           12,
	"sync.RWMutex":        24,
	"sync/atomic.Bool":    4,
	"sync/atomic.Int32":   4,
	"sync/atomic.Int64":   8,
	"sync/atomic.Pointer": 8,
	"sync/atomic.Uint32":  4,
	"sync/atomic.Uint64":  8,
	"sync/atomic.Value":   16,
	"time.Time":           24,
}

// steady fails unless a struct that a module has from elsewhere is of one size in
// all programs: it is the program that chooses the release of Go, and the
// versions of what the module requires.
func (c *checker) steady(name *types.TypeName) error {
	full := name.Pkg().Path() + "." + name.Name()
	size, ok := steadyStructs[full]
	if !ok {
		return fmt.Errorf(
			"%s, which is not of the module, may be of another size in another program", full)
	}
	if now := c.sizes.Sizeof(name.Type()); now != size {
		return fmt.Errorf("%s was of %d bytes in all releases of Go, and is of %d", full, size, now)
	}
	return nil
}
