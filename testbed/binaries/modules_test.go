//go:build linux && amd64 && matrix

package binaries

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/testbed/internal/target"
)

// A program may have another gRPC than the version that it names.
func TestOffsetsOfAModuleComeFromWhereItComesFrom(t *testing.T) {
	const module, version = "google.golang.org/grpc", "v1.75.0"
	required := "\nrequire " + module + " " + version + "\n"
	replaced := required + "replace " + module + " => " + cached(t, module+"@"+version) + "\n"
	for name, c := range map[string]struct {
		module   string
		vendored bool
		args     []string
		source   model.Source // "": left out
		leftOut  string
	}{
		"gRPC as it was released, stripped":           {module: required, args: []string{target.Stripped}, source: model.SourceTable},
		"gRPC that is vendored, stripped":             {module: required, vendored: true, args: []string{target.Stripped}, source: model.SourceTable},
		"gRPC that is replaced by a folder":           {module: replaced, source: model.SourceDWARF},
		"gRPC that is replaced by a folder, stripped": {module: replaced, args: []string{target.Stripped}, leftOut: module + " is replaced by "},
	} {
		t.Run(name, func(t *testing.T) {
			l := planned(t, build(t, program{source: "testbed/grpc/server", module: c.module, vendored: c.vendored, args: c.args}), module)
			if !strings.Contains(l.LeftOut, c.leftOut) || (l.LeftOut == "") != (c.leftOut == "") {
				t.Errorf("left out: %q", l.LeftOut)
			}
			if c.leftOut != "" {
				t.Attr("why", module+" is replaced by something that the tables do not know") // for docs/support.md
			}
			for _, field := range l.Fields {
				if field.Module == module && field.Exists && field.Source != c.source {
					t.Errorf("%s is known from %s", field.Field, field.Source)
				}
			}
			if len(l.Fields) == 0 {
				t.Error("it has no fields")
			}
		})
	}
}

// cached is the folder of a version of a module.
func cached(t *testing.T, module string) string {
	t.Helper()
	command := exec.Command("go", "mod", "download", "-json", module)
	command.Dir = t.TempDir()
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, output)
	}
	_, rest, _ := strings.Cut(string(output), `"Dir": "`)
	folder, _, found := strings.Cut(rest, `"`)
	if _, err := os.Stat(filepath.Join(folder, "go.mod")); err != nil || !found {
		t.Fatalf("there is no module in %q: %v", folder, err)
	}
	return folder
}
