package offsets

import (
	"slices"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
)

const example = `# a comment
made 2026-11-23
module std
examined 1.20.0 1.21.0 1.21.4 1.21.9
examined 1.22.0 1.22.5 1.22.6
net/http.response.status
  1.20.0 100
  1.21.4 amd64=120 arm64=128
  1.22.0 -
  1.22.5 amd64=8
  1.22.6 amd64=8 arm64=-
`

func TestALookupAnswersOnlyForWhatWasExamined(t *testing.T) {
	table, err := Parse(strings.NewReader(example))
	if err != nil {
		t.Fatal(err)
	}
	status := model.Field{
		Module: model.ModuleStd, Package: "net/http", Struct: "response", Field: "status",
	}
	for _, c := range []struct {
		version       string
		arch          model.Arch
		offset        uint64
		exists, known bool
	}{
		{"1.20", model.AMD64, 100, true, true},
		{"1.21.0", model.ARM64, 100, true, true},
		{"1.21.4", model.AMD64, 120, true, true},
		{"1.21.4", model.ARM64, 128, true, true},
		{"1.21.7", model.AMD64, 120, true, true}, // between two of its minor that agree
		{"1.21.2", model.AMD64, 0, false, false}, // between two that do not
		{"1.21.10", model.AMD64, 0, false, false},
		{"1.20.7", model.AMD64, 0, false, false},
		{"1.22.0", model.AMD64, 0, false, true}, // no such field
		{"1.22.5", model.AMD64, 8, true, true},
		{"1.22.5", model.ARM64, 0, false, false}, // not examined on this architecture
		{"1.22.6", model.AMD64, 8, true, true},
		{"1.22.6", model.ARM64, 0, false, true},  // no such field on this architecture
		{"1.22.7", model.AMD64, 0, false, false}, // newer than the table
		{"1.19.1", model.AMD64, 0, false, false},
		{"1.21.11", model.AMD64, 0, false, false}, // between two of different minors
		{"v1.21.4", model.AMD64, 0, false, false}, // a module's version, not one of Go
		{"1.21.04", model.AMD64, 0, false, false},
		{"1.22rc1", model.AMD64, 0, false, false},
		{"1.22.5-custom", model.AMD64, 0, false, false},
		{"devel +abc", model.AMD64, 0, false, false},
		{"", model.AMD64, 0, false, false},
	} {
		offset, exists, known := table.Lookup(model.ModuleStd, c.version, c.arch, status)
		if offset != c.offset || exists != c.exists || known != c.known {
			t.Errorf("%s on %s: %d, exists %v, known %v", c.version, c.arch, offset, exists, known)
		}
	}
	if _, _, known := table.Lookup("example.com/other", "v1.0.0", model.AMD64, status); known {
		t.Error("a module that is not in the table is known")
	}
	other := status
	other.Field = "other"
	if _, _, known := table.Lookup(model.ModuleStd, "1.21.0", model.AMD64, other); known {
		t.Error("a field that is not in the table is known")
	}
}

const exampleOfCommits = `module golang.org/x/net
examined v0.0.0-20210405180319-a5a99cb37ef4 v0.0.0-20220225172249-27dd8689420f v0.0.0-20220722155237-a158d28d115b v0.1.0 v0.2.0
golang.org/x/net/http2.responseWriterState.status
  v0.0.0-20210405180319-a5a99cb37ef4 80
  v0.0.0-20220722155237-a158d28d115b 72
`

func TestCommitsBeforeTheFirstReleaseAreKnownBetweenTwoThatAgree(t *testing.T) {
	table, err := Parse(strings.NewReader(exampleOfCommits))
	if err != nil {
		t.Fatal(err)
	}
	const net = "golang.org/x/net"
	status := model.Field{
		Module: net, Package: net + "/http2", Struct: "responseWriterState", Field: "status",
	}
	for version, want := range map[string]struct {
		offset uint64
		known  bool
	}{
		"v0.0.0-20210405180319-a5a99cb37ef4": {80, true},
		"v0.0.0-20211209124913-491a49abca63": {80, true}, // between two that agree
		"v0.0.0-20220401154927-543a649e0bdd": {0, false}, // between two that do not
		"v0.0.0-20220722155237-a158d28d115b": {72, true}, // the last
		// another commit, and no examined one is after it
		"v0.0.0-20220722155237-ffffffffffff":       {0, false},
		"v0.0.0-20221014081412-f15817d10f9b":       {0, false}, // before a release
		"v0.0.0-20210226172049-e18ecbb05110":       {0, false}, // before the first
		"v0.0.0":                                   {0, false}, // not among the commits
		"v0.1.0":                                   {72, true},
		"v0.1.1":                                   {0, false},
		"v0.1.1-0.20221104145632-7a676822c292":     {0, false}, // a commit between releases
		"v0.3.0":                                   {0, false},
		"v0.0.0-20211209124913":                    {0, false},
		"v0.0.0-20211209124913-491a49abca63+dirty": {0, false},
	} {
		offset, exists, known := table.Lookup(net, version, model.AMD64, status)
		if offset != want.offset || exists != want.known || known != want.known {
			t.Errorf("%s: %d, exists %v, known %v", version, offset, exists, known)
		}
	}
}

func TestReleasesAreInOrderAndPreReleasesAreNone(t *testing.T) {
	for _, c := range []struct {
		name, oldest string
		versions     []string
		want         []string
	}{
		{
			"of Go", "1.17",
			[]string{"1.9.7", "1.16.15", "1.17", "1.20.14", "1.20", "1.20.2", "1.18beta1", "1.26rc1", "1.26.0-custom", "devel"},
			[]string{"1.17", "1.20", "1.20.2", "1.20.14"},
		},
		{
			"of a module", "v1.40.0",
			[]string{"v1.5.0", "v1.39.1", "v1.40.0", "v1.100.0", "v1.51.0-dev", "v1.51.0", "v1.51.0", "v2.0.0+incompatible", "1.60.0", ""},
			[]string{"v1.40.0", "v1.51.0", "v1.100.0"},
		},
		{
			"with commits", "v0.0.0-20210101000000-000000000000",
			[]string{
				"v0.1.0", "v0.0.0", "v0.0.0-20211209124913-491a49abca63", "v0.0.0-20201110031124-69a78807bf2b", "v0.0.0-20210405180319-a5a99cb37ef4",
				"v0.3.1-0.20221206200815-1e63c2f08a10",
			},
			[]string{"v0.0.0-20210405180319-a5a99cb37ef4", "v0.0.0-20211209124913-491a49abca63", "v0.0.0", "v0.1.0"},
		},
	} {
		got, err := Releases(c.versions, c.oldest)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	if _, err := Releases([]string{"v1.0.0"}, "latest"); err == nil {
		t.Error("an oldest version that is none is taken")
	}
}

func TestATableThatIsNotOneIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"field before a module":   "a.b.c\n",
		"change before a field":   "module std\nexamined 1.20.0\n  1.20.0 8\n",
		"versions out of order":   "module std\nexamined 1.21.0 1.20.0\n",
		"changes out of order":    "module std\nexamined 1.20.0 1.21.0\na.b.c\n  1.21.0 8\n  1.20.0 8\n",
		"a change never examined": "module std\nexamined 1.20.0\na.b.c\n  1.21.0 8\n",
		"no number":               "module std\nexamined 1.21.0\na.b.c\n  1.21.0 eight\n",
		"no offset":               "module std\nexamined 1.21.0\na.b.c\n  1.21.0\n",
		"no version":              "module std\nexamined 1.21.0\na.b.c\n  latest 8\n",
		"an offset out of bounds": "module std\nexamined 1.21.0\na.b.c\n  1.21.0 99999999999\n",
		"no such architecture":    "module std\nexamined 1.21.0\na.b.c\n  1.21.0 mips=8\n",
		"an architecture twice":   "module std\nexamined 1.21.0\na.b.c\n  1.21.0 arm64=8 arm64=16\n",
		"two offsets":             "module std\nexamined 1.21.0\na.b.c\n  1.21.0 8 16\n",
		"an examined non-version": "module std\nexamined 1.21rc1\n",
		"a module twice":          "module std\nmodule std\n",
		"a field twice":           "module std\nexamined 1.21.0\na.b.c\n  1.21.0 8\na.b.c\n  1.21.0 16\n",
	} {
		if _, err := Parse(strings.NewReader(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTheEmbeddedTableCoversTheSupportedVersions(t *testing.T) {
	goid := model.Field{Module: model.ModuleStd, Package: "runtime", Struct: "g", Field: "goid"}
	for _, version := range []string{"1.21.0", "1.22.12", "1.23.12", "1.24.13", "1.25.14", "1.26.8", "1.27.4"} {
		for _, arch := range []model.Arch{model.AMD64, model.ARM64} {
			if _, exists, known := Default().Lookup(model.ModuleStd, version, arch, goid); !exists ||
				!known {
				t.Errorf("%s of Go %s on %s: exists %v, known %v", goid, version, arch, exists,
					known)
			}
		}
	}
	if newest, made := Default().Extent(model.ModuleStd); newest == "" || made == "" {
		t.Error("the table does not say how far it goes and when it was made")
	}
}

func TestCandidatesAnswerIfAllVersionsThatFitAgree(t *testing.T) {
	table, err := Parse(strings.NewReader(`module example.com/m
examined v1.0.0 v1.1.0 v1.2.0 v1.3.0
example.com/m.T.old()
  v1.0.0 0
  v1.2.0 -
example.com/m.T.middle()
  v1.0.0 -
  v1.1.0 0
  v1.3.0 -
example.com/m.T.new()
  v1.0.0 -
  v1.3.0 0
example.com/m.s.comes
  v1.0.0 -
  v1.2.0 0
example.com/m.s.moves
  v1.0.0 8
  v1.2.0 16
example.com/m.s.stays
  v1.0.0 24
example.com/m.s.goes
  v1.0.0 amd64=32 arm64=40
  v1.3.0 -
`))
	if err != nil {
		t.Fatal(err)
	}
	field := func(structName, name string) model.Field {
		return model.Field{
			Module: "example.com/m", Package: "example.com/m", Struct: structName, Field: name,
		}
	}
	before, middle, after, never := field("T", "old()"), field("T",
		"middle()"), field("T", "new()"), field("T", "other()")
	for _, c := range []struct {
		name           string
		present        []model.Field
		offset         uint64
		exists, agreed bool
	}{
		{"moves", nil, 0, false, false},
		{"stays", nil, 0, false, false}, // the program may be of a newer version
		{"stays", []model.Field{before}, 24, true, true},
		{"moves", []model.Field{before}, 8, true, true},
		{"moves", []model.Field{middle}, 0, false, false},
		{"stays", []model.Field{middle}, 24, true, true},
		{"moves", []model.Field{after}, 0, false, false},        // as the newest has it
		{"stays", []model.Field{never, before}, 24, true, true}, // which the table says nothing of
		{"stays", []model.Field{before, after}, 0, false, false},
		{"goes", []model.Field{before}, 32, true, true},
		{"comes", []model.Field{before}, 0, false, true}, // none of them has it
		{"unknown", []model.Field{before}, 0, false, false},
	} {
		offset, exists, agreed := table.Candidates("example.com/m", model.AMD64, field("s", c.name),
			c.present)
		if agreed != c.agreed || agreed && (offset != c.offset || exists != c.exists) {
			t.Errorf("%s with %v: %d, %v, %v", c.name, c.present, offset, exists, agreed)
		}
	}
}
