package nethttp

import (
	"go/version"
	"os"
	"slices"
	"testing"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/offsets"
	"github.com/spanprobe/spanprobe/testbed/internal/target"
)

// From Go 1.23 on roundTrip defers a function, whose entry stands for the returns behind it. Nothing else
// would tell if another version's code were of another form: the returns would be probed, and give the same spans.
func TestTheEndOfACallIsEmulatedFromGo123On(t *testing.T) {
	for _, build := range callers() {
		t.Run(build.String(), func(t *testing.T) {
			file, err := os.Open(target.MustCompile(t, build))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			info, err := file.Stat()
			if err != nil {
				t.Fatal(err)
			}
			_, planned, err := engine.PlanFile(file, info.Size(), file.Name(), all.Libraries(), offsets.Default())
			if err != nil {
				t.Fatal(err)
			}
			deferring := false
			for _, library := range planned.Libraries {
				deferring = deferring || slices.ContainsFunc(library.Sites, func(site plan.Site) bool {
					return site.Program == "end_deferring_call" && site.Class == plan.Emulated
				})
			}
			if want := version.Compare("go"+build.Go, "go1.23") >= 0; deferring != want {
				t.Errorf("the entry into what roundTrip defers is probed: %t, want %t", deferring, want)
			}
		})
	}
}
