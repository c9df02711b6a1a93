package plan_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// table answers every exact question in the same way, and notes which version was
// asked for; all candidates agree on another place, if there are any.
type table struct {
	known, candidates bool
	asked             string
	present           []model.Field
}

func (t *table) Lookup(_, version string, _ model.Arch, _ model.Field) (uint64, bool, bool) {
	t.asked = version
	return 8, true, t.known
}

func (t *table) Candidates(
	_ string, _ model.Arch, _ model.Field, present []model.Field,
) (uint64, bool, bool) {
	t.present = present
	return 24, true, t.candidates
}

func (t *table) Extent(module string) (newest, made string) {
	return map[string]string{model.ModuleStd: "1.27.4", "google.golang.org/grpc": "v1.85.0"}[module], "2026-11-25"
}

func TestTheTableIsAskedForExactVersionsOnly(t *testing.T) {
	const grpc = "google.golang.org/grpc"
	for name, test := range map[string]struct {
		binary model.Binary
		module string
		asked  string // the version; "": not asked
	}{
		"release":          {model.Binary{GoVersion: "1.26.8"}, model.ModuleStd, "1.26.8"},
		"first of a minor": {model.Binary{GoVersion: "1.21"}, model.ModuleStd, "1.21"},
		"candidate":        {model.Binary{GoVersion: "1.27rc1"}, model.ModuleStd, "1.27rc1"},
		"experiment":       {model.Binary{GoVersion: "1.25.1 X:nocoverageredesign"}, model.ModuleStd, "1.25.1"},
		"since Go 1.26":    {model.Binary{GoVersion: "1.26.8-X:nodwarf5"}, model.ModuleStd, "1.26.8"},
		"vendor's own":     {model.Binary{GoVersion: "1.22.5-custom"}, model.ModuleStd, ""},
		"development":      {model.Binary{GoVersion: "devel go1.28-abc"}, model.ModuleStd, ""},
		"module":           {model.Binary{Modules: []model.Module{{Path: grpc, Version: "v1.83.2"}}}, grpc, "v1.83.2"},
		"replaced":         {model.Binary{Modules: []model.Module{{Path: grpc, Version: "v1.83.2", Replace: "../grpc@"}}}, grpc, ""},
		"main, not tagged": {model.Binary{Main: model.Module{Path: grpc, Version: "(devel)"}}, grpc, ""},
		"not named":        {model.Binary{}, grpc, ""},
	} {
		t.Run(name, func(t *testing.T) {
			table := &table{known: true, candidates: true}
			dwarf := func(model.Field) (uint64, bool, error) { return 16, true, nil }
			got, err := plan.Lookup(&test.binary, nil, table, dwarf)(
				model.Field{Module: test.module})
			if err != nil || table.asked != test.asked {
				t.Errorf("the table was asked for %q (%v)", table.asked, err)
			}
			want := model.FieldOffset{Offset: 8, Exists: true, Source: model.SourceTable}
			if test.asked == "" {
				want = model.FieldOffset{Offset: 16, Exists: true, Source: model.SourceDWARF}
			}
			if got != want {
				t.Errorf("the answer is %+v", got)
			}
		})
	}
}

func TestAFieldThatNobodyKnowsSaysWhomItAsked(t *testing.T) {
	dwarf := func(model.Field) (uint64, bool, error) {
		return 0, false, errors.New("the binary has no debug information")
	}
	const grpc = "google.golang.org/grpc"
	for _, test := range []struct {
		goVersion, module, says string
	}{
		{"1.99.0", model.ModuleStd, "the tables do not cover Go 1.99.0: those of 2026-11-25 know it up to 1.27.4, and the binary has no debug information"},
		{"devel go1.99", model.ModuleStd, `the tables of 2026-11-25 know the releases of Go up to 1.27.4, and "devel go1.99" is none, and the binary has no debug information`},
		{"1.26.8", grpc, "the tables do not cover " + grpc + " v1.99.0: those of 2026-11-25 know it up to v1.85.0, and the binary has no debug information"},
		{"1.26.8", "example.com/other", "the tables do not cover example.com/other, and the binary has no debug information"},
	} {
		b := &model.Binary{
			GoVersion: test.goVersion,
			Modules: []model.Module{
				{Path: grpc, Version: "v1.99.0"}, {Path: "example.com/other", Version: "v1.0.0"},
			},
		}
		_, err := plan.Lookup(b, nil, &table{}, dwarf)(model.Field{Module: test.module})
		if err == nil || err.Error() != test.says {
			t.Errorf("%s of Go %s: %v", test.module, test.goVersion, err)
		}
	}
}

func TestWhereNobodySaysTheVersionAllThatFitMustAgree(t *testing.T) {
	const grpc = "google.golang.org/grpc"
	marks := []probe.Mark{
		{Module: grpc, Package: grpc, Name: "newClient"},
		{Module: grpc, Package: grpc, Receiver: "Server", Name: "stop"},
		{Module: grpc, Package: grpc, Name: "gone"},
	}
	functions := map[string]model.Function{grpc + ".newClient": {}, grpc + ".(*Server).stop": {}}
	noDWARF := func(model.Field) (uint64, bool, error) { return 0, false, errors.New("no debug information") }
	for name, test := range map[string]struct {
		modules []model.Module
		agree   bool
		want    model.FieldOffset // none: an error
	}{
		"not named, and they agree":        {nil, true, model.FieldOffset{Offset: 24, Exists: true, Source: model.SourceCandidates}},
		"not named, and they do not agree": {nil, false, model.FieldOffset{}},
		"of a version that is not known":   {[]model.Module{{Path: grpc, Version: "v1.99.0"}}, true, model.FieldOffset{}},
		"replaced by another module":       {[]model.Module{{Path: grpc, Version: "v1.83.2", Replace: "../grpc@"}}, true, model.FieldOffset{}},
	} {
		t.Run(name, func(t *testing.T) {
			table := &table{candidates: test.agree}
			b := &model.Binary{GoVersion: "1.19.8", Modules: test.modules, Functions: functions}
			got, err := plan.Lookup(b, marks, table, noDWARF)(model.Field{Module: grpc})
			if got != test.want || (err == nil) != test.want.Exists {
				t.Errorf("%+v, %v", got, err)
			}
			if test.modules == nil &&
				!slices.Equal(table.present, []model.Field{marks[0].Field(), marks[1].Field()}) {
				t.Errorf("the binary is said to have %v", table.present)
			}
		})
	}
}
