package offsets

import (
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
	status := model.Field{Module: model.ModuleStd, Package: "net/http", Struct: "response", Field: "status"}
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
			if _, exists, known := Default().Lookup(model.ModuleStd, version, arch, goid); !exists || !known {
				t.Errorf("%s of Go %s on %s: exists %v, known %v", goid, version, arch, exists, known)
			}
		}
	}
	if Default().Newest(model.ModuleStd) == "" || Default().Made == "" {
		t.Error("the table does not say how far it goes and when it was made")
	}
}
