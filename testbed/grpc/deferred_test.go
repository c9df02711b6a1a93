package grpc

import (
	"testing"

	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/testbed/internal/target"
)

// Every release defers a function in newClientStream, which or the branch around which stands for the returns behind it.
// Nothing else would tell if another one's code were of another form: the returns would be probed, and give the same spans.
func TestACallIsBoundToItsStreamWhereThatIsEmulated(t *testing.T) {
	for _, p := range pairs() {
		t.Run(p.build(callerSource).String(), func(t *testing.T) {
			sites := target.Program(t, target.MustCompile(t, p.build(callerSource)), "bind_deferring_call")
			if len(sites) == 0 {
				t.Error("only returns are probed")
			}
			for _, site := range sites {
				if site.Class != plan.Emulated {
					t.Errorf("%s is %s", site.Instruction, site.Class)
				}
			}
		})
	}
}
