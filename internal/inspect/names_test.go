package inspect_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spanprobe/spanprobe/internal/inspect"
	"github.com/spanprobe/spanprobe/internal/testing/tiny"
)

func TestFunctionsOfOneCopyOfAProjectAreFound(t *testing.T) {
	wanted := []string{"example.com/lib.F", "example.com/lib/p.(*T).G", "net/http.F"}
	for name, c := range map[string]struct{ has, found, elsewhere []string }{
		"as they are": {
			has: wanted, found: wanted,
		},
		"in a vendor folder": {
			has:   []string{"shop.example/a/vendor/example.com/lib.F", "net/http.F"},
			found: []string{"example.com/lib.F", "net/http.F"},
		},
		"also in a vendor folder": {
			has: []string{
				"example.com/lib/p.(*T).G", "shop.example/a/vendor/example.com/lib.F",
				"shop.example/a/vendor/example.com/lib/p.(*T).G",
			},
			found: []string{"example.com/lib/p.(*T).G"},
			elsewhere: []string{
				"shop.example/a/vendor/example.com/lib.F",
				"shop.example/a/vendor/example.com/lib/p.(*T).G",
			},
		},
		"in two vendor folders": {
			has: []string{
				"shop.example/a/vendor/example.com/lib.F", "shop.example/b/vendor/example.com/lib.F",
				"shop.example/b/vendor/example.com/lib/p.(*T).G",
			},
			found:     []string{"example.com/lib.F", "example.com/lib/p.(*T).G"},
			elsewhere: []string{"shop.example/a/vendor/example.com/lib.F"},
		},
		"in a vendor folder of a path that is too long": {
			has:   []string{strings.Repeat("x", 2000) + "/vendor/example.com/lib.F", "net/http.F"},
			found: []string{"net/http.F"},
		},
		"of a fork": {
			has: []string{
				"fork.example/lib.F", "shop.example/a/vendor/fork.example/lib/p.(*T).G",
				"net/http.F", "lib.F", "internal/lib.F",
			},
			found: []string{"net/http.F"},
			elsewhere: []string{
				"fork.example/lib.F", "shop.example/a/vendor/fork.example/lib/p.(*T).G",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var functions []tiny.Function
			for _, name := range c.has {
				functions = append(functions, tiny.Function{Name: name, Code: []byte{0xc3}})
			}
			data := (tiny.Program{Functions: functions}).With(nil)
			file, err := inspect.Open(bytes.NewReader(data), int64(len(data)), "program")
			if err != nil {
				t.Fatal(err)
			}
			b, err := file.Binary(wanted)
			if err != nil {
				t.Fatal(err)
			}
			found := slices.Sorted(maps.Keys(b.Functions))
			elsewhere := slices.Sorted(maps.Values(b.Elsewhere))
			if diff := cmp.Diff(c.found, found); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.elsewhere, elsewhere); diff != "" {
				t.Errorf("elsewhere (-want +got):\n%s", diff)
			}
		})
	}
}
