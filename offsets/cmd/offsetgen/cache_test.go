package main

import (
	"maps"
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
