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

// open opens an executable until the test ends.
func open(t testing.TB, executable string) (file *os.File, size int64) {
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
	return file, info.Size()
}

// Inspect opens an executable for inspection, until the test ends.
func Inspect(t testing.TB, executable string) *inspect.File {
	t.Helper()
	file, size := open(t, executable)
	inspected, err := inspect.Open(file, size, executable)
	if err != nil {
		t.Fatal(err)
	}
	return inspected
}

// Plan is how an executable would be traced, with what it was planned from.
func Plan(t testing.TB, executable string) (*model.Binary, *plan.Plan) {
	t.Helper()
	file, size := open(t, executable)
	binary, planned, err := engine.PlanFile(file, size, executable, all.Libraries(),
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
