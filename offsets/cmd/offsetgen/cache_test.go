package main

import (
	"maps"
	"os"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
)

func TestWhatWasFoundIsKeptByModuleAndVersion(t *testing.T) {
	folder := t.TempDir()
	open := func(module string, wanted ...model.Field) cache {
		t.Helper()
		c, err := openCache(folder, module, wanted)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	at := func(offset int64) layout {
		return layout{status.String(): {model.AMD64: {true, offset, "int"}}}
	}
	kept := map[string]layout{"std": at(8), "example.com/a": at(16), "example.com/a/v2": at(24)}
	for module, found := range kept {
		if err := open(module).store("v1.2.3", found); err != nil {
			t.Fatal(err)
		}
	}
	for module, want := range kept {
		got, err := open(module, status).load("v1.2.3")
		if err != nil || !maps.EqualFunc(got, want, maps.Equal) {
			t.Errorf("%s: %v, %v; want %v", module, got, err, want)
		}
	}
	for name, of := range map[string]cache{
		"a version that was not examined": open("example.com/b", status),
		"a field that was not wanted":     open("example.com/a", wantedOf("net/http", "response", "w")),
	} {
		if got, err := of.load("v1.2.3"); got != nil || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestWhatTwoCheckoutsWantIsKeptSideBySide(t *testing.T) {
	other := wantedOf("net/http", "response", "w")
	c, err := openCache(t.TempDir(), "std", []model.Field{status, other})
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []model.Field{status, other} {
		if err := c.store("1.26.8", layout{field.String(): {model.AMD64: {true, 8, "int"}}}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := c.load("1.26.8"); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	if err := os.WriteFile(c.path("1.26.8"), []byte("{\"half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := c.load("1.26.8"); got != nil || err != nil {
		t.Errorf("of a damaged file: %v, %v", got, err)
	}
}
