package parents

import (
	"fmt"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

// A call that carries a trace context is the program's own. A proxy passes on what its caller has
// sent: that one is the parent of both requests then, and else there is the call between them.
func TestAProxyThatPassesATraceContextOnHasNoCall(t *testing.T) {
	called, addresses := startPeer(t)
	p := startCalling(t, newest(), engine.Config{Targets: []engine.Target{{PID: called.PID}}},
		"http://"+addresses["http ipv4"], addresses["grpc ipv4"])
	const n = 20 // of each
	for _, side := range []string{"http1", "http2"} {
		t.Run(side, func(t *testing.T) {
			before := p.tracer.Settle(t)
			var wants []tree.Want
			for i := range 2 * n {
				request := path(side, "http", "proxied", fmt.Sprint(i))
				call := request + "/0/0"
				header, parent, _, _ := sent(request)
				if i%2 == 0 {
					header = header[:len(header)-1] + "1"
					wants = append(wants, tree.Want{Name: tree.Served(request), Remote: parent},
						tree.Want{Name: tree.Served(call), Remote: parent})
				} else {
					header = ""
					wants = append(wants, tree.Want{Name: tree.Served(request)},
						tree.Want{Name: tree.Called(call), Parent: tree.Served(request)},
						tree.Want{Name: tree.Served(call), Parent: tree.Called(call)})
				}
				if err := p.clients[side].send(request, header); err != nil {
					t.Fatal(err)
				}
			}
			stats := p.tracer.Settle(t)
			report(t, tree.New(p.tracer.Spans(), name).Compare("/"+side+"/", wants))
			if lost := tracing.Lost(stats); lost != 0 {
				t.Errorf("%d operations were lost: %v", lost, stats.Lost)
			}
			if own := stats.SelfTraced - before.SelfTraced; own != n {
				t.Errorf("%d calls are counted as the program's own, want %d", own, n)
			}
		})
	}
}
