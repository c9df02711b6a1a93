package plan_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
)

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
		"experiment":       {model.Binary{GoVersion: "1.26.8 X:nocoverageredesign"}, model.ModuleStd, "1.26.8"},
		"vendor's own":     {model.Binary{GoVersion: "1.22.5-custom"}, model.ModuleStd, ""},
		"development":      {model.Binary{GoVersion: "devel go1.28-abc"}, model.ModuleStd, ""},
		"module":           {model.Binary{Modules: []model.Module{{Path: grpc, Version: "v1.83.2"}}}, grpc, "v1.83.2"},
		"replaced":         {model.Binary{Modules: []model.Module{{Path: grpc, Version: "v1.83.2", Replace: "../grpc@"}}}, grpc, ""},
		"main, not tagged": {model.Binary{Main: model.Module{Path: grpc, Version: "(devel)"}}, grpc, ""},
		"not named":        {model.Binary{}, grpc, ""},
	} {
		t.Run(name, func(t *testing.T) {
			asked := ""
			table := func(_, version string, _ model.Arch, _ model.Field) (uint64, bool, bool) {
				asked = version
				return 8, true, true
			}
			dwarf := func(model.Field) (uint64, bool, error) { return 16, true, nil }
			got, err := plan.Lookup(&test.binary, table, dwarf)(model.Field{Module: test.module})
			if err != nil || asked != test.asked {
				t.Errorf("the table was asked for %q (%v)", asked, err)
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
	table := func(string, string, model.Arch, model.Field) (uint64, bool, bool) { return 0, false, false }
	dwarf := func(model.Field) (uint64, bool, error) {
		return 0, false, errors.New("the binary has no debug information")
	}
	_, err := plan.Lookup(&model.Binary{GoVersion: "1.99.0"}, table, dwarf)(model.Field{Module: model.ModuleStd})
	if err == nil || !strings.Contains(err.Error(), "std 1.99.0") || !strings.Contains(err.Error(), "no debug information") {
		t.Errorf("the error is %v", err)
	}
}
