// Package plans holds the tests of where programs would be probed, also those of another
// architecture, which do not run here: it is compared with what was recorded.
package plans

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/golden"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

// program is one that is compiled for each architecture.
type program struct {
	name string
	target.Build
}

func server(goVersion string) program {
	return program{"nethttp_server", target.Build{
		Source: "testbed/targets/nethttp", Go: goVersion,
		Flags: []string{target.Stripped},
	}}
}

func client(goVersion string) program {
	return program{"nethttp_client", target.Build{
		Source: "testbed/targets/httpcaller",
		Go:     goVersion, Flags: []string{target.Stripped},
	}}
}

func grpcServer(goVersion, grpc string) program {
	return program{"gRPC_server", target.GRPC("testbed/targets/grpc", goVersion, grpc,
		target.Stripped)}
}

func grpcClient(goVersion, grpc string) program {
	return program{"gRPC_client", target.GRPC("testbed/targets/grpccaller", goVersion, grpc,
		target.Stripped)}
}

func TestPlansOfRealProgramsAreAsRecorded(t *testing.T) {
	var recorded []string
	for _, arch := range []model.Arch{model.AMD64, model.ARM64} {
		for _, p := range programs() {
			name := p.golden(arch)
			recorded = append(recorded, name)
			t.Run(strings.TrimSuffix(name, ".golden"), func(t *testing.T) {
				build := p.Build
				if string(arch) != runtime.GOARCH {
					build.Arch = string(arch)
				}
				binary, planned := target.Plan(t, target.MustCompile(t, build))
				got := describe(binary, planned)
				golden.Assert(
					t,
					got,
					name,
					"the plan changed; if that is right, run go test -tags=matrix ./suites/plans -update",
				)
			})
		}
	}
	inFolder, err := filepath.Glob(filepath.Join("testdata", "*.golden"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range inFolder {
		if of := filepath.Base(file); wholeMatrix && !slices.Contains(recorded, of) {
			t.Errorf("%s is of no program", of)
		}
	}
	slices.Sort(recorded)
	if len(slices.Compact(recorded)) != len(recorded) {
		t.Error("two programs have the same name")
	}
}

// golden is the name of the file in which a program's plan is recorded.
func (p program) golden(arch model.Arch) string {
	name := p.name + "_go" + p.Go
	if len(p.Modules) > 0 {
		_, release, _ := strings.Cut(p.Modules[0], "@")
		name += "_" + release
	}
	return name + "_" + string(arch) + ".golden"
}

// describe writes down the sites of a plan, but for what depends on where the linker has put
// things, and on the day of the tables. Offsets have tests of their own. Libraries that the program
// does not use are left out: a new library would change every record.
func describe(binary *model.Binary, planned *plan.Plan) string {
	var out strings.Builder
	for _, l := range planned.Libraries {
		switch {
		case l.Unused:
			continue
		case l.LeftOut != "":
			fmt.Fprintf(&out, "%s: left out: %s\n", l.Library, l.LeftOut)
			continue
		}
		fmt.Fprintf(&out, "%s\n", l.Library)
		for _, site := range l.Sites {
			instruction := site.Instruction
			if site.Event == "call" {
				// the rest is how far away the linker has put what is called
				instruction, _, _ = strings.Cut(instruction, " ")
			}
			at := site.Address - binary.Functions[site.Symbol].Address
			fmt.Fprintf(&out, "  %s: %s %s+%d %q %s", site.Program, site.Event, site.Symbol, at,
				instruction, site.Class)
			if site.OnDemand {
				out.WriteString(", on demand")
			}
			out.WriteByte('\n')
		}
		for _, note := range l.Notes {
			note, _, _ = strings.Cut(note, ": those of ") // the rest is how far the tables go today
			fmt.Fprintf(&out, "  %s\n", note)
		}
	}
	return out.String()
}
