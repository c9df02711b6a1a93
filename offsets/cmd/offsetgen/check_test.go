package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/offsets"
)

func TestBothSidesOfEveryChangeAreCompiled(t *testing.T) {
	old, moved := place{true, 120, "int"}, place{true, 128, "int"}
	releases := releasesOf(
		[]string{"1.21.0", "1.21.6", "1.21.13", "1.22.0", "1.22.2", "1.23.0", "1.24.0"}, both(old),
		both(old), both(old), both(moved), both(moved), both(moved), both(moved))
	function := wantedOf("net/http", "response", "write()")
	for i, r := range releases {
		r.layout[function.String()] = map[model.Arch]place{
			model.AMD64: {Exists: i < 1}, model.ARM64: {Exists: i < 1},
		}
	}
	want := []string{"1.21.0", "1.21.13", "1.22.0", "1.24.0"}
	if got := besideChanges(releases, []model.Field{status, function}); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestADisagreementWithTheCompilerNamesTheField(t *testing.T) {
	const text = "module std\nexamined 1.21.0 1.22.0 1.23.0 1.24.0\nnet/http.response.status\n  1.21.0 120\n  1.22.0 -\n  1.23.0 0\n  1.24.0 amd64=0\n"
	table, err := offsets.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	described := func(fields map[string]int64) structs { return structs{"net/http.response": fields} }
	for _, c := range []struct {
		name         string
		version      string
		amd64, arm64 structs
		agrees       bool
	}{
		{"the same offset", "1.21.0", described(map[string]int64{"status": 120}), described(map[string]int64{"status": 120}), true},
		{"another offset", "1.21.0", described(map[string]int64{"status": 120}), described(map[string]int64{"status": 128}), false},
		{"no field where the table has one", "1.21.0", described(map[string]int64{"w": 8}), described(map[string]int64{"status": 120}), false},
		{"no struct where the table has a field", "1.21.0", structs{}, structs{}, false},
		{"no struct where the table has no field", "1.22.0", structs{}, structs{}, true},
		{"no field in either", "1.22.0", described(map[string]int64{"w": 8}), structs{}, true},
		{"a field where the table has none", "1.22.0", structs{}, described(map[string]int64{"status": 0}), false},
		{"the offset zero, and no field", "1.23.0", described(map[string]int64{"w": 8}), described(map[string]int64{"w": 8}), false},
		{"an architecture not in the table", "1.24.0", described(map[string]int64{"status": 0}), described(map[string]int64{"status": 0}), false},
	} {
		err := agree(table, c.version, []model.Field{status},
			map[model.Arch]structs{model.AMD64: c.amd64, model.ARM64: c.arm64})
		if c.agrees != (err == nil) ||
			err != nil && !strings.Contains(err.Error(), status.String()) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
