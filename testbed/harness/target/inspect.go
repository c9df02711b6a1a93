package target

import (
	"os"
	"testing"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/internal/inspect"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/offsets"
)

// Inspect opens an executable for inspection, until the test ends.
func Inspect(t testing.TB, executable string) *inspect.File {
	t.Helper()
	file, err := os.Open(executable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	inspected, err := inspect.Open(file, info.Size(), executable)
	if err != nil {
		t.Fatal(err)
	}
	return inspected
}

// Plan is how an executable would be traced, with what it was planned from.
func Plan(t testing.TB, executable string) (*model.Binary, *plan.Plan) {
	t.Helper()
	file, err := os.Open(executable)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	binary, planned, err := engine.PlanFile(file, info.Size(), executable, all.Libraries(),
		offsets.Default())
	if err != nil {
		t.Fatal(err)
	}
	return binary, planned
}

// Program returns the sites of a program of a library's in an executable.
func Program(t testing.TB, executable, program string) []plan.Site {
	t.Helper()
	var sites []plan.Site
	_, planned := Plan(t, executable)
	for _, library := range planned.Libraries {
		for _, site := range library.Sites {
			if site.Program == program {
				sites = append(sites, site)
			}
		}
	}
	return sites
}
