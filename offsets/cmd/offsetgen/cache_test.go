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
		return layout{
			status.String(): {
				model.AMD64: {true, offset, "int"}, model.ARM64: {true, offset, "int"},
			},
		}
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
	for name, found := range map[string]layout{
		"what was not found on all architectures": {status.String(): {model.AMD64: {true, 8, "int"}}},
		"what does not say of which kind it is":   {status.String(): {model.AMD64: {true, 8, ""}, model.ARM64: {true, 8, "int"}}},
	} {
		c := open("example.com/partial", status)
		if err := c.store("v1.2.3", found); err != nil {
			t.Fatal(err)
		}
		if got, err := c.load("v1.2.3"); got != nil || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestWhatWasCompiledIsKeptForItsProgramAndStructs(t *testing.T) {
	folder := t.TempDir()
	c, err := openCache(folder, "std", []model.Field{status})
	if err != nil {
		t.Fatal(err)
	}
	found := map[model.Arch]structs{
		model.AMD64: {structOf(status): {"status": 120}},
		model.ARM64: {structOf(status): {"status": 128}},
	}
	if err := c.storeCompiled("1.26.8",
		&compiled{[]string{"program"}, []string{structOf(status)}, found}); err != nil {
		t.Fatal(err)
	}
	got, err := c.loadCompiled("1.26.8", []string{"program"})
	if err != nil || got == nil || got.Found[model.ARM64][structOf(status)]["status"] != 128 {
		t.Errorf("%v, %v", got, err)
	}
	more, err := openCache(folder, "std",
		[]model.Field{status, wantedOf("net/http", "conn", "rwc")})
	if err != nil {
		t.Fatal(err)
	}
	for name, load := range map[string]func() (*compiled, error){
		"another program": func() (*compiled, error) { return c.loadCompiled("1.26.8", []string{"another"}) },
		"another version": func() (*compiled, error) { return c.loadCompiled("1.26.9", []string{"program"}) },
		"another struct":  func() (*compiled, error) { return more.loadCompiled("1.26.8", []string{"program"}) },
	} {
		if got, err := load(); got != nil || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if layout, err := c.load("1.26.8"); layout != nil || err != nil {
		t.Errorf("what was compiled is taken for what the sources say: %v, %v", layout, err)
	}
	if err := os.WriteFile(c.compiledPath("1.26.8"), []byte("{\"half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := c.loadCompiled("1.26.8", []string{"program"}); got != nil || err != nil {
		t.Errorf("of a damaged file: %v, %v", got, err)
	}
}

func TestWhatTwoCheckoutsWantIsKeptSideBySide(t *testing.T) {
	other := wantedOf("net/http", "response", "w")
	c, err := openCache(t.TempDir(), "std", []model.Field{status, other})
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []model.Field{status, other} {
		if err := c.store(
			"1.26.8",
			layout{field.String(): {model.AMD64: {true, 8, "int"}, model.ARM64: {true, 8, "int"}}},
		); err != nil {
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
