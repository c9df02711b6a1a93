package nethttp

import (
	"go/version"
	"testing"

	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

// From Go 1.23 on roundTrip defers a function, whose entry stands for the returns behind it.
// Nothing else would tell if another version's code were of another form: the returns would be
// probed, and give the same spans.
func TestTheEndOfACallIsEmulatedFromGo123On(t *testing.T) {
	for _, build := range callers() {
		t.Run(build.String(), func(t *testing.T) {
			sites := target.Program(t, target.MustCompile(t, build), "end_deferring_call")
			emulated := len(sites) == 1 && sites[0].Class == plan.Emulated
			if want := version.Compare("go"+build.Go, "go1.23") >= 0 &&
				build.Optimized(); emulated != want {
				t.Errorf("the entry into what roundTrip defers is probed: %v", sites)
			}
		})
	}
}
