package connections

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

// What a program with the OpenTelemetry SDK tells of its own calls is what they are known as,
// whether or not that program is a target too.
func TestTheHeaderOfAProgramThatTracesItselfWins(t *testing.T) {
	executable := target.Own(t, "sdk")
	for name, isTarget := range map[string]bool{"not a target": false, "a target": true} {
		t.Run(name, func(t *testing.T) {
			server := startPeer(t, newest)
			client := target.Start(t, executable)
			config := engine.Config{Targets: []engine.Target{{PID: server.PID}}}
			if isTarget {
				config.Targets = append(config.Targets, engine.Target{PID: client.PID})
			}
			tracer := tracing.Start(t, config)
			// Whether a program that traces itself is traced too is another matter.
			tracing.Eventually(t, func() bool {
				response, err := http.Get("http://" + server.addresses["http ipv4"] + "/begin/0")
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
				return len(ofProcess(tracer.Spans(), server.PID)) > 0
			}, "the server being traced")
			var wants []tree.Want
			for i := range few {
				for _, protocol := range []string{"http", "grpc"} {
					path := fmt.Sprintf("/sdk-%s/%d", protocol, i)
					var parent tree.Remote
					if _, err := fmt.Sscan(client.Ask(
						t, protocol+" "+server.addresses[protocol+" ipv4"]+" "+path,
					), &parent.Trace, &parent.Span); err != nil {
						t.Fatal(err)
					}
					wants = append(wants, tree.Want{Name: tree.Served(path), Remote: parent})
				}
			}
			tracer.Settle(t)
			if report := tree.New(ofProcess(tracer.Spans(), server.PID),
				tree.Target).Compare("/sdk", wants); !report.OK() {
				t.Error(report)
			}
		})
	}
}

func ofProcess(spans []tracing.Span, pid int) []tracing.Span {
	return slices.DeleteFunc(spans, func(s tracing.Span) bool {
		return s.Resource["process.pid"] != int64(pid)
	})
}
