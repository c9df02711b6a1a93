package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/offsets"
)

var status = wantedOf("net/http", "response", "status")

// releasesOf makes releases in which only status is wanted, from the places where
// it is on amd64 and arm64.
func releasesOf(versions []string, places ...[2]place) []release {
	var releases []release
	for i, version := range versions {
		at := map[model.Arch]place{model.AMD64: places[i][0], model.ARM64: places[i][1]}
		releases = append(releases, release{version, layout{status.String(): at}})
	}
	return releases
}

func both(at place) [2]place { return [2]place{at, at} }

func TestTheTableTellsWhatWasFoundInEachRelease(t *testing.T) {
	versions := []string{"1.20", "1.21.0", "1.21.6", "1.22.0", "1.22.2"}
	releases := releasesOf(versions, both(place{}), both(place{true, 120, "int"}),
		[2]place{{true, 128, "int"}, {true, 136, "int"}}, [2]place{{true, 128, "int"}, {}},
		both(place{}))
	text, err := render(model.ModuleStd, releases, nil, []model.Field{status})
	if err != nil {
		t.Fatal(err)
	}
	table, err := offsets.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	for _, r := range releases {
		for arch, at := range r.layout[status.String()] {
			offset, exists, known := table.Lookup(model.ModuleStd, r.version, arch, status)
			if !known || exists != at.Exists || offset != uint64(at.Offset) {
				t.Errorf("Go %s on %s: %d, exists %v, known %v; want %+v", r.version, arch, offset,
					exists, known, at)
			}
		}
	}
	if table.Newest(model.ModuleStd) != "1.22.2" {
		t.Errorf("newest %s", table.Newest(model.ModuleStd))
	}
}

func TestAFieldThatBecomesSomethingElseIsAnError(t *testing.T) {
	for name, releases := range map[string][]release{
		"in a later release":      releasesOf([]string{"1.21.0", "1.22.0"}, both(place{true, 120, "int"}), both(place{true, 120, "string"})),
		"after it was gone":       releasesOf([]string{"1.21.0", "1.22.0", "1.23.0"}, both(place{true, 120, "int"}), both(place{}), both(place{true, 120, "string"})),
		"on another architecture": releasesOf([]string{"1.21.0"}, [2]place{{true, 120, "int"}, {true, 120, "int32"}}),
		"nowhere to be found":     releasesOf([]string{"1.21.0"}, both(place{})),
	} {
		_, err := render(model.ModuleStd, releases, nil, []model.Field{status})
		if err == nil || !strings.Contains(err.Error(), status.String()) {
			t.Errorf("%s: error %v does not name the field", name, err)
		}
	}
}

func TestAnIntegerMayLoseItsSign(t *testing.T) {
	releases := releasesOf([]string{"1.19.13", "1.20"}, both(place{true, 152, "int64"}),
		both(place{true, 152, "uint64"}))
	if _, err := render(model.ModuleStd, releases, nil, []model.Field{status}); err != nil {
		t.Error(err)
	}
}

func TestTheTableSaysOfWhichReleasesThereAreNoSources(t *testing.T) {
	of := func(module string, versions, missing []string) string {
		t.Helper()
		places := slices.Repeat([][2]place{both(place{true, 120, "int"})}, len(versions))
		text, err := render(module, releasesOf(versions, places...), missing, []model.Field{status})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := offsets.Parse(bytes.NewReader(text)); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
		text, _, _ = bytes.Cut(text, []byte(status.String()))
		return string(text)
	}
	got := of(model.ModuleStd, []string{"1.18", "1.18.3", "1.20.1", "1.21.0"}, []string{"1.18.2"})
	want := "module std\nexamined 1.18 1.18.3 1.20.1 1.21.0\n# not to be had: 1.18.2\n# not listed by the proxy: 1.18.1 1.20.0\n"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	got = of(library, []string{"v0.0.0-20210405180319-a5a99cb37ef4", "v0.1.0", "v0.9.1", "v0.10.0"},
		nil)
	want = "module " + library + "\nexamined v0.0.0-20210405180319-a5a99cb37ef4 v0.1.0 v0.9.1 v0.10.0\n# not listed by the proxy: v0.9.0\n"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestWhatLiesBehindAPointerOrInAListMayMoveButNotChange(t *testing.T) {
	for _, c := range []struct {
		old, now string
		same     bool
	}{
		{"*net/http.conn", "*net/http.conn", true},
		{"*net/http.conn", "*net/http/internal.conn", true},
		{"*net/http.conn", "*net/http.other", false},
		{"*runtime._type", "*internal/abi.Type", true}, // which is renamed
		{"*runtime.type_", "*internal/abi.Type", false},
		{"*net/http.conn", "struct net/http.conn", false},
		{"[]uint8", "[]byte", true},
		{"[]uint8", "[]string", false},
		{"[]uint8", "[]uint16", false},
		{"map[string]*a.b/c.d", "map[string]*e.d", true},
		{"map[string]*a.b/c.d", "map[string]a.b/c.d", false},
		{"[8]uint8", "[16]uint8", false},
		{"any", "interface", false},
	} {
		releases := releasesOf([]string{"1.21.0", "1.22.0"}, both(place{true, 120, c.old}),
			both(place{true, 120, c.now}))
		_, err := render(model.ModuleStd, releases, nil, []model.Field{status})
		if c.same != (err == nil) || err != nil && !strings.Contains(err.Error(), c.now) {
			t.Errorf("from %s to %s: %v", c.old, c.now, err)
		}
	}
}

func TestAFieldWhosePointersAreAskedForApartMayBecomeOne(t *testing.T) {
	pointer := status
	pointer.Field = "*" + status.Field
	releases := releasesOf([]string{"1.21.0", "1.22.0"}, both(place{true, 120, "struct"}),
		both(place{true, 120, "pointer"}))
	releases[0].layout[pointer.String()] = map[model.Arch]place{}
	releases[1].layout[pointer.String()] = releases[1].layout[status.String()]
	if _, err := render(model.ModuleStd, releases, nil,
		[]model.Field{status, pointer}); err != nil {
		t.Error(err)
	}
	if _, err := render(model.ModuleStd, releases, nil, []model.Field{status}); err == nil {
		t.Error("its readers know one kind, and there is no error")
	}
}
