package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/offsets"
)

const stdPart = "module std\nexamined 1.21.0\nnet/http.response.status\n  1.21.0 120\n\n# kept as it is\n"

var day = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func TestThePartsOfOtherModulesStayAsTheyAre(t *testing.T) {
	file := filepath.Join(t.TempDir(), "table.txt")
	write := func(table []byte) {
		t.Helper()
		if err := writeIfChanged(file, table); err != nil {
			t.Fatal(err)
		}
	}
	write(parts{
		model.ModuleStd: []byte(stdPart),
		"example.com/b": []byte("module example.com/b\nexamined v1.0.0\n"),
		"example.com/a": []byte("module example.com/a\nexamined v1.0.0\n"),
	}.join(day))
	read, err := readParts(file)
	if err != nil {
		t.Fatal(err)
	}
	read["example.com/b"] = []byte("module example.com/b\nexamined v1.0.0 v1.1.0\n")
	write(read.join(day.AddDate(0, 0, 1)))
	const want = "# Made by offsets/cmd/offsetgen. The format is that of offsets.Parse.\nmade 2026-11-24\n" + stdPart +
		"module example.com/a\nexamined v1.0.0\nmodule example.com/b\nexamined v1.0.0 v1.1.0\n"
	got, err := os.ReadFile(file)
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	write(read.join(day.AddDate(0, 0, 2)))
	if again, err := os.ReadFile(file); err != nil || string(again) != want {
		t.Errorf("a table of which only the date is new was written: %v\n%s", err, again)
	}
}

func TestATableThatIsNotThereYetHasNoParts(t *testing.T) {
	read, err := readParts(filepath.Join(t.TempDir(), "table.txt"))
	if err != nil || len(read) != 0 {
		t.Errorf("%q, %v", read, err)
	}
}

func TestTheCommittedTableIsWhatItsPartsMake(t *testing.T) {
	read, err := readParts("../../table.txt")
	if err != nil {
		t.Fatal(err)
	}
	made, err := time.Parse(time.DateOnly, offsets.Default().Made)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("../../table.txt")
	if err != nil || string(read.join(made)) != string(committed) {
		t.Errorf("%v: the table of its parts is another", err)
	}
	for module := range wantedFields() {
		if read[module] == nil {
			t.Errorf("the committed table has no part for %s", module)
		}
	}
}

// committed are the releases in the committed table, without the kinds of fields.
func committed(t *testing.T, module string, wanted []model.Field) []release {
	t.Helper()
	read, err := readParts("../../table.txt")
	if err != nil {
		t.Fatal(err)
	}
	var releases []release
	for line := range strings.Lines(string(read[module])) {
		versions, examined := strings.CutPrefix(line, "examined ")
		if !examined {
			continue
		}
		for version := range strings.FieldsSeq(versions) {
			found := layout{}
			for _, field := range wanted {
				found[field.String()] = map[model.Arch]place{}
				for _, arch := range architectures {
					offset, exists, known := offsets.Default().Lookup(module, version, arch, field)
					if !known {
						t.Errorf("%s of %s on %s is not known", field, nameOf(module, version),
							arch)
					}
					found[field.String()][arch] = place{Exists: exists, Offset: int64(offset)}
				}
			}
			releases = append(releases, release{version, found})
		}
	}
	return releases
}

func TestRulesAcceptWhatTheCommittedTableLosesAndNothingElse(t *testing.T) {
	for module, wanted := range wantedFields() {
		releases := committed(t, module, wanted)
		withRule := func(r probe.Rule) error {
			return task{module: module, rule: r, wanted: wanted}.disappearances(releases)
		}
		r := ruleOf(t, module)
		if err := withRule(r); err != nil || len(releases) == 0 {
			t.Errorf("%s, %d releases: %v", module, len(releases), err)
		}
		for i, accepted := range r.Gone {
			if accepted.Reason == "" {
				t.Errorf("no reason why %s lacks %s", nameOf(module, accepted.Since),
					accepted.Fields)
			}
			for j, field := range accepted.Fields {
				less := accepted
				less.Fields = slices.Delete(slices.Clone(accepted.Fields), j, j+1)
				without := r
				without.Gone = slices.Clone(r.Gone)
				without.Gone[i] = less
				if err := withRule(without); err == nil || !strings.Contains(err.Error(), field) {
					t.Errorf("%s is accepted to be gone from %s, and that is not needed: %v", field,
						nameOf(module, accepted.Since), err)
				}
			}
		}
	}
}
