package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/offsets"
)

const library = "example.com/library"

// newModules writes the sources of a made-up module, of what it requires and of
// a release of Go, and returns a checker for it.
func newModules(t *testing.T, files map[string]string) *checker {
	t.Helper()
	root := newRelease(t, files)
	folder := func(name string) string { return filepath.Join(root, "src", name) }
	goRoot := folder("go")
	return newChecker(goRoot, "1.30.0", model.AMD64,
		nil).forModule(modules{library, map[string]string{
		library:                    folder("library"),
		"example.com/other":        folder("other"),
		"example.com/other/nested": folder("nested"),
	}})
}

func fieldOfLibrary(pkg, structName, name string) model.Field {
	return model.Field{Module: library, Package: library + pkg, Struct: structName, Field: name}
}

func TestAFieldOfAModuleIsFoundWithWhatTheModuleImports(t *testing.T) {
	c := newModules(t, map[string]string{
		"library/internal/transport/stream.go": `package transport
			import ("context"; "example.com/library/codes"; "example.com/other"; "example.com/other/nested"; "sync")
			type Stream struct {
				code codes.Code
				ctx context.Context
				names other.Names
				number nested.Number
				locks [2]sync.Mutex
				inner struct { first, second codes.Pair }
				method string
			}`,
		"library/internal/transport/new.go": "//go:build go1.27\n\npackage transport\ntype wrapper struct { to any }",
		"library/codes/codes.go":            "package codes\ntype Code uint8\ntype Pair struct { a, b Code }",
		"other/other.go":                    "package other\ntype Names []string",
		"other/nested/nested.go":            "package nested",
		"nested/nested.go":                  "package nested\ntype Number int16",
		"go/src/context/context.go":         "package context\nimport \"example.com/other\"\ntype Context interface { Value() other.OfGo }",
		"go/src/sync/mutex.go":              "package sync\ntype Mutex struct { state int32; sema uint32 }",
		// Go's own copy of a module, of which it has more than the module has now.
		"go/src/vendor/example.com/other/other.go":        "package other\ntype OfGo struct{}",
		"go/src/vendor/example.com/library/gone/gone.go":  "package gone\ntype s struct { to any }",
		"go/src/vendor/example.com/other/nested/none.txt": "",
	})
	for _, want := range []struct {
		pkg, structName, name string
		place
	}{
		{"/internal/transport", "Stream", "code", place{true, 0, "uint8"}},
		{"/internal/transport", "Stream", "ctx", place{true, 8, "interface"}},
		{"/internal/transport", "Stream", "names", place{true, 24, "[]string"}},
		{"/internal/transport", "Stream", "number", place{true, 48, "int16"}},
		{"/internal/transport", "Stream", "inner", place{true, 68, "struct"}},
		{"/internal/transport", "Stream", "method", place{true, 72, "string"}},
		{"/internal/transport", "Stream", "id", place{}},
		{"/internal/transport", "ServerStream", "method", place{}},
		// for a newer Go than modules are read with
		{"/internal/transport", "wrapper", "to", place{}},
		{"/gone", "s", "to", place{}},
		{"/never", "s", "to", place{}},
	} {
		got, err := c.field(fieldOfLibrary(want.pkg, want.structName, want.name))
		if err != nil || got != want.place {
			t.Errorf("%s.%s.%s: %+v, %v; want %+v", want.pkg, want.structName, want.name, got, err,
				want.place)
		}
	}
}

func TestAStructWhoseSizeTheProgramDecidesIsRefused(t *testing.T) {
	outside := map[string]string{
		"other/other.go":            "package other\ntype T struct { n int64 }",
		"go/src/sync/sync.go":       "package sync\ntype WaitGroup struct { n int64 }\ntype Mutex struct { grown [3]int32 }",
		"go/src/net/broken.go":      "package net\ntype Conn interface { Read() unknown }\ntype s struct { unknown }",
		"library/broken/file.go":    "package broken\nimport \"example.com/missing\"\ntype S struct { status int; missing missing.T }",
		"library/internal/value.go": "package internal\nimport \"example.com/other\"\ntype Value struct { other.T }",
	}
	for name, c := range map[string]struct{ source, blamed string }{
		"a struct of another module":        {`import "example.com/other"; type s struct { t other.T; status int }`, "example.com/other.T"},
		"an alias of one":                   {`import "example.com/other"; type a = other.T; type s struct { t [2]a; status int }`, "example.com/other.T"},
		"one in a struct of its own":        {`import "example.com/library/internal"; type s struct { v internal.Value; status int }`, "example.com/other.T"},
		"a struct of Go that changed":       {`import "sync"; type s struct { wg sync.WaitGroup; status int }`, "sync.WaitGroup"},
		"a struct of Go that has now grown": {`import "sync"; type s struct { mu sync.Mutex; status int }`, "sync.Mutex"},
		"a broken package of Go":            {`import "net"; type s struct { c net.Conn; status int }`, "net.Conn"},
		"a package that cannot be imported": {`import "example.com/missing"; type s struct { t *missing.T; status int }`, "example.com/missing"},
		"a package of its own like that":    {`import "example.com/library/broken"; type s struct { t broken.S; status int }`, "example.com/missing"},
	} {
		files := maps.Clone(outside)
		files["library/p/p.go"] = "package p; " + c.source
		got, err := newModules(t, files).field(fieldOfLibrary("/p", "s", "status"))
		if err == nil || !strings.Contains(err.Error(), c.blamed) {
			t.Errorf("%s: %+v, and the error %v does not name %s", name, got, err, c.blamed)
		}
	}
	outside["library/p/p.go"] = `package p
		import ("example.com/other"; "example.com/library/broken"; "sync")
		type s struct { t *other.T; list []sync.WaitGroup; broken *broken.S; status int; wg sync.WaitGroup }`
	got, err := newModules(t, outside).field(fieldOfLibrary("/p", "s", "status"))
	if want := (place{true, 40, "int"}); err != nil || got != want {
		t.Errorf("pointers, and what comes behind: %+v, %v; want %+v", got, err, want)
	}
}

func TestTheRequiredVersionIsThatOfTheRequireLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "go.mod")
	const content = `module example.com/requirer

go 1.17

require example.com/first v1.2.3

require (
	example.com/library v0.0.0-20210405180319-a5a99cb37ef4 // indirect
	example.com/library/nested v1.0.0
)

exclude (
	example.com/other v1.0.0
)

replace example.com/replaced => example.com/library v0.9.0
`
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"example.com/first": "v1.2.3", library: "v0.0.0-20210405180319-a5a99cb37ef4", "example.com/other": "", "example.com/replaced": "",
	} {
		if got, err := requirement(t.Context(), file, path); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", path, got, err, want)
		}
	}
	if _, err := requirement(t.Context(), file+".none", library); err == nil {
		t.Error("a file that is not there requires nothing")
	}
}

// ruleOf is the rule of a module that libraries read.
func ruleOf(t *testing.T, module string) probe.Rule {
	t.Helper()
	rules, err := all.Rules()
	if err != nil {
		t.Fatal(err)
	}
	return rules[module]
}

func TestEachModuleThatLibrariesReadHasARule(t *testing.T) {
	for module := range wantedFields() {
		r := ruleOf(t, module)
		if _, err := offsets.Releases(nil, r.Oldest); err != nil || len(r.Programs) == 0 {
			t.Errorf("%s: oldest version %q (%v), and %d programs", module, r.Oldest, err,
				len(r.Programs))
		}
	}
	unknown := "example.com/unknown"
	g := generator{
		map[string][]model.Field{unknown: {status}}, nil, originOf, t.TempDir(), io.Discard,
	}
	if _, err := g.task(unknown); err == nil || !strings.Contains(err.Error(), unknown) {
		t.Errorf("a module without a rule: %v", err)
	}
}

// A version that is nowhere is a hole in the table; what a network does for a while
// must not become one.
func TestOnlyWhatAProxyRefusesIsNotToBeHad(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(
			strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/"+library+"/@v/v1.0."), ".info"))
		if err != nil {
			t.Errorf("%s: %v", r.URL, err)
		}
		w.WriteHeader(status)
	}))
	defer proxy.Close()
	for status, refused := range map[int]bool{403: true, 404: true, 410: true, 429: false, 500: false, 503: false} {
		environment := []string{"GOPROXY=" + proxy.URL, "GOMODCACHE=" + t.TempDir()}
		folder, err := download(t.Context(), environment,
			fmt.Sprintf("%s@v1.0.%d", library, status))
		if err == nil || errors.Is(err, errUnavailable) != refused {
			t.Errorf("%d: %q, %v", status, folder, err)
		}
	}
	proxy.Close()
	_, err := download(t.Context(), []string{"GOPROXY=" + proxy.URL, "GOMODCACHE=" + t.TempDir()},
		library+"@v1.0.404")
	if err == nil || errors.Is(err, errUnavailable) {
		t.Errorf("without a proxy: %v", err)
	}
}
