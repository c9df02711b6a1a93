package containers

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" {
		err := become(os.Args[1], os.Args[2])
		fmt.Fprintln(os.Stderr, "become a container:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// image makes an image that holds the server, which needs no library.
func image(t *testing.T) string {
	t.Helper()
	executable := target.MustCompile(t, target.Build{
		Source: "testbed/targets/nethttp", Go: "1.26.8", Flags: []string{
			target.Stripped,
			"-tags=netgo,osusergo",
		},
	})
	folder := filepath.Join(t.TempDir(), "image")
	content, err := os.ReadFile(executable)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(folder, filepath.Dir(serverPath)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, serverPath), content, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestContainersOfOneImageAreTracedEachForItself(t *testing.T) {
	lower, work := image(t), t.TempDir()
	for name, entry := range map[string]engine.Target{
		"by the path that they see": {Exe: serverPath},
		"by the port that they see": {Port: 8080},
	} {
		t.Run(name, func(t *testing.T) {
			groups := cgroups(t)
			var started []*container
			ids := map[int64]string{}
			launch := func() {
				i := len(started)
				id := fmt.Sprintf("%064x", i+1)
				group := cgroup(t, groups, "docker-"+id+".scope")
				c := start(t, lower, filepath.Join(work, name, fmt.Sprint(i)), group,
					fmt.Sprintf("OTEL_SERVICE_NAME=service-%d", i))
				started = append(started, c)
				ids[int64(c.PID)] = id
			}
			launch()
			launch()
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{entry}})
			tracer.AwaitTracing(t, 2)
			launch() // one that starts later
			tracer.AwaitTracing(t, 3)

			const requests = 20
			for i := range requests {
				for _, c := range started {
					if err := c.get(fmt.Sprintf("/hello/%d", i)); err != nil {
						t.Fatal(err)
					}
				}
			}
			perProcess := map[int64]int{}
			for _, span := range tracer.Await(t, requests*len(started)) {
				pid := span.Resource["process.pid"].(int64)
				perProcess[pid]++
				for key, want := range map[string]any{
					"process.executable.path": serverPath,
					"container.id":            ids[pid],
				} {
					if span.Resource[key] != want {
						t.Errorf("process %d: %s is %v, not %v", pid, key, span.Resource[key], want)
					}
				}
			}
			for i, c := range started {
				if perProcess[int64(c.PID)] != requests {
					t.Errorf("container %d: %d spans of %d requests", i, perProcess[int64(c.PID)],
						requests)
				}
			}
			stats := tracer.MustStats(t)
			if stats.Operations != uint64(requests*len(started)) || tracing.Lost(stats) != 0 {
				t.Errorf("each request once: %+v", stats)
			}
			// One that ends leaves the others traced.
			if err := started[0].Stop(); err != nil {
				t.Fatal(err)
			}
			tracer.AwaitTracing(t, 2)
			if err := started[1].get("/hello/after"); err != nil {
				t.Fatal(err)
			}
			tracing.Eventually(t, func() bool {
				return len(tracer.Spans()) == requests*len(started)+1
			}, "the span of the one that is left")
		})
	}
}
