package discover

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
)

func TestADescriptionKeepsNothingOfALargeEnvironment(t *testing.T) {
	const processes = 50
	proc := newFakeProc(t)
	f := proc.finder(Config{Targets: []Target{{Exe: "**/shop"}}})
	hierarchies := strings.Repeat("9:none:/\n", (maxCgroupSize-200)/9)
	for pid := 1; pid <= processes; pid++ {
		proc.set(pid, fakeProcess{exe: "shop", env: []string{
			"OTEL_SERVICE_NAME=a-name",
			"OTEL_RESOURCE_ATTRIBUTES=team=shop",
			"P=" + strings.Repeat("x", maxEnvironSize-200),
		}})
		proc.write(
			fmt.Sprintf("%s/%d/cgroup", proc.root, pid),
			hierarchies+"0::/docker/"+strings.Repeat("c", 64)+"\n",
		)
	}
	before := heap()
	var found []model.Process
	for _, match := range f.Scan().Appeared {
		found = append(found, match.Process)
	}
	grown := int64(heap()) - int64(before)
	if len(found) != processes || found[0].ServiceName != "a-name" ||
		found[0].Resource["team"] != "shop" || found[0].ContainerID == "" {
		t.Fatalf("%d processes, such as %+v", len(found), found[0])
	}
	if each := grown / processes; each > 16<<10 {
		t.Errorf("%d bytes are kept of each process", each)
	}
	runtime.KeepAlive(f)
}

// heap is what is reachable, in bytes.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
