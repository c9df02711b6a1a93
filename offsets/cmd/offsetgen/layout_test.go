package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
)

// newRelease writes the sources of a made-up release and returns its root.
func newRelease(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, "src", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func wantedOf(pkg, structName, name string) model.Field {
	return model.Field{Module: model.ModuleStd, Package: pkg, Struct: structName, Field: name}
}

func TestAFieldIsFoundWhereTheReleaseAndTheArchitectureHaveIt(t *testing.T) {
	root := newRelease(t, map[string]string{
		"net/http/server.go": `package http
			import "net/textproto"
			type response struct {
				wrote bool
				header textproto.Header
				padding padding
				status int
			}`,
		"net/http/padding_amd64.go": "package http\ntype padding [1]byte",
		"net/http/padding_arm64.go": "package http\ntype padding [16]byte",
		"net/http/old.go":           "//go:build !go1.26\n\npackage http\ntype conn struct { rwc any }",
		"net/http/new.go":           "//go:build go1.26\n\npackage http\ntype conn struct { server *response; rwc any }",
		"net/http/test.go":          "//go:build goexperiment.test\n\npackage http\ntype experiment struct { on int }",
		"net/textproto/header.go":   "package textproto\ntype Header map[string][]string",
	})
	for _, c := range []struct {
		version     string
		tags        []string
		arch        model.Arch
		structField string
		want        place
	}{
		{"1.26.0", nil, model.AMD64, "response.status", place{true, 24, "int"}},
		{"1.26.0", nil, model.ARM64, "response.status", place{true, 32, "int"}},
		{"1.26.0", nil, model.AMD64, "response.header", place{true, 8, "map[string][]string"}},
		{"1.26.0", nil, model.AMD64, "response.request", place{}},
		{"1.26.0", nil, model.AMD64, "request.status", place{}},
		{"1.25.0", nil, model.AMD64, "conn.rwc", place{true, 0, "any"}},
		{"1.26.0", nil, model.AMD64, "conn.rwc", place{true, 8, "any"}},
		{"1.26.0", nil, model.AMD64, "experiment.on", place{}},
		{"1.26.0", []string{"goexperiment.test"}, model.AMD64, "experiment.on", place{true, 0, "int"}},
	} {
		structName, name, _ := strings.Cut(c.structField, ".")
		got, err := newChecker(root, c.version, c.arch,
			c.tags).field(wantedOf("net/http", structName, name))
		if err != nil || got != c.want {
			t.Errorf("%s of Go %s on %s: %+v, %v; want %+v", c.structField, c.version, c.arch, got,
				err, c.want)
		}
	}
	got, err := newChecker(root, "1.26.0", model.AMD64,
		nil).field(wantedOf("net/http/internal/http2", "stream", "id"))
	if err != nil || got.Exists {
		t.Errorf("a package that the release does not have: %+v, %v", got, err)
	}
}

func TestAStructThatIsNotUnderstoodWholeIsRefused(t *testing.T) {
	broken := "package broken\ntype Counter struct { n int64 }\ntype Other struct { x unknown }"
	for name, files := range map[string]map[string]string{
		"a type that is not declared":  {"p/p.go": "package p\ntype s struct { before unknown; status int }"},
		"an array of unknown length":   {"p/p.go": "package p\ntype s struct { before [n]int; status int }"},
		"a file that does not parse":   {"p/p.go": "package p\ntype s struct { status int }", "p/q.go": "package p\nfunc {"},
		"a struct declared twice":      {"p/p.go": "package p\ntype s struct { status int }", "p/q.go": "package p\ntype s struct { before, status int }"},
		"a struct lost with its file":  {"p/p.go": "package p", "p/q.go": "package p\ntype s struct {{ status int }"},
		"a value of a broken package":  {"p/p.go": "package p\nimport \"broken\"\ntype s struct { before [2]broken.Counter; status int }", "broken/b.go": broken},
		"an alias of a broken package": {"p/p.go": "package p\nimport \"broken\"\ntype a = broken.Counter\ntype s struct { before a; status int }", "broken/b.go": broken},
		"no struct at all":             {"p/p.go": "package p\ntype s int"},
	} {
		got, err := newChecker(newRelease(t, files), "1.26.0", model.AMD64,
			nil).field(wantedOf("p", "s", "status"))
		if err == nil {
			t.Errorf("%s: %+v and no error", name, got)
		}
	}
}

func TestWhatAStructOnlyPointsToMayBeBroken(t *testing.T) {
	root := newRelease(t, map[string]string{
		"p/p.go":      "package p\nimport \"broken\"\ntype s struct { to *broken.Counter; list []broken.Counter; status int }",
		"broken/b.go": "package broken\ntype Counter struct { n unknown }",
	})
	got, err := newChecker(root, "1.26.0", model.AMD64, nil).field(wantedOf("p", "s", "status"))
	if want := (place{true, 32, "int"}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

func TestWhatIsWantedMayBeAPointerAFunctionOrAMethod(t *testing.T) {
	root := newRelease(t, map[string]string{
		"p/p.go": `package p
		import "sync/atomic"
		type inner struct { a, b int }
		type s struct { *inner; kept inner; state atomic.Uint32; end int }
		func (*s) stop() {}
		func (inner) size() int { return 0 }
		func open() {}
		var closed = open
		`,
		"sync/atomic/type.go": "package atomic\ntype noCopy struct{}\ntype align struct{}\ntype Uint32 struct { _ noCopy; _ [0]align; v uint32 }",
	})
	for name, want := range map[string]place{
		"s.*inner":      {true, 0, "*p.inner"},
		"s.inner":       {true, 0, "*p.inner"},
		"s.*kept":       {},
		"s.kept":        {true, 8, "struct p.inner"},
		"s.state":       {true, 24, "uint32"}, // which is all that there is of it
		"s.end":         {true, 32, "int"},
		"s.stop()":      {Exists: true, Kind: "function"},
		"inner.size()":  {Exists: true, Kind: "function"},
		"s.start()":     {Kind: "function"},
		"other.stop()":  {Kind: "function"},
		"func.open()":   {Exists: true, Kind: "function"},
		"func.closed()": {Kind: "function"},
	} {
		structName, field, _ := strings.Cut(name, ".")
		got, err := newChecker(root, "1.26.0", model.AMD64,
			nil).field(wantedOf("p", structName, field))
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
}

func TestAKindSaysWhatPointersAndListsLeadTo(t *testing.T) {
	root := newRelease(t, map[string]string{
		"p/p.go": `package p
		import ("q"; "sync/atomic")
		type inner struct { a, b int }
		type number uint16
		type list []*list
		type alias = q.T
		type wrapped struct { _ [0]int; to *inner }
		type s struct {
			bytes []byte
			texts []string
			numbers []number
			pointers []*inner
			moved **alias
			atomic atomic.Pointer[inner]
			loop list
			header map[string][]inner
			fixed [4]uint8
			empty interface{}
			full interface { M() }
			error error
			to *interface { M() }
			generic *q.G[int]
			call func(int)
			ends chan struct{}
			wrapped wrapped
			nameless struct { a, b *inner }
		}`,
		"q/q.go":              "package q\ntype T struct { a, b int }\ntype G[E any] struct { a, b E }",
		"sync/atomic/type.go": "package atomic\nimport \"unsafe\"\ntype Pointer[T any] struct { _ [0]*T; v unsafe.Pointer }",
	})
	for name, want := range map[string]string{
		"bytes":    "[]byte",
		"texts":    "[]string",
		"numbers":  "[]uint16",
		"pointers": "[]*p.inner",
		"moved":    "**q.T",
		"atomic":   "*p.inner",
		"loop":     "[]*p.list",
		"header":   "map[string][]p.inner",
		"fixed":    "[4]uint8",
		"empty":    "any",
		"full":     "interface",
		"error":    "interface",
		"to":       "*interface",
		"generic":  "*q.G",
		"call":     "func",
		"ends":     "chan struct",
		"wrapped":  "*p.inner",
		"nameless": "struct",
	} {
		got, err := newChecker(root, "1.26.0", model.AMD64, nil).field(wantedOf("p", "s", name))
		if err != nil || got.Kind != want {
			t.Errorf("%s: %q, %v; want %q", name, got.Kind, err, want)
		}
	}
}
