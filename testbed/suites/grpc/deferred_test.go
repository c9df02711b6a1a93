package grpc

import (
	"testing"

	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

// Every release defers a function in newClientStream, which or the branch around which stands for
// the returns behind it. Nothing else would tell if another one's code were of another form: the
// returns would be probed, and give the same spans.
func TestACallIsBoundToItsStreamWhereThatIsEmulated(t *testing.T) {
	for _, p := range pairs() {
		build := p.build(callerSource)
		t.Run(build.String(), func(t *testing.T) {
			sites := target.Program(t, target.MustCompile(t, build), "bind_deferring_call")
			if emulated := len(sites) > 0; emulated != build.Optimized() {
				t.Errorf("what newClientStream defers is probed: %v", sites)
			}
			for _, site := range sites {
				if site.Class != plan.Emulated {
					t.Errorf("%s is %s", site.Instruction, site.Class)
				}
			}
		})
	}
}
