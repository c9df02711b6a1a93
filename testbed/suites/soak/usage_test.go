package soak

import (
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/procfs"

	"github.com/spanprobe/spanprobe/testbed/harness/resources"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// usageInterval is how often it is looked what the engine uses.
const usageInterval = 2 * time.Second

// usage is what the process of the engine uses at a time.
type usage struct {
	resident    int64 // bytes, after a garbage collection
	maps        int64 // bytes of BPF maps that the kernel has allocated
	active      int64 // calls in flight
	descriptors int64
	goroutines  int64
}

func (s *soak) usage(t *testing.T) usage {
	t.Helper()
	debug.FreeOSMemory() // collects garbage first
	self, err := procfs.Self()
	if err != nil {
		t.Fatal(err)
	}
	status, err := self.NewStatus()
	if err != nil {
		t.Fatal(err)
	}
	open, err := resources.Maps()
	if err != nil {
		t.Fatal(err)
	}
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	u := usage{
		resident: int64(status.VmRSS), active: int64(s.tracer.MustStats(t).Active),
		descriptors: int64(len(descriptors)), goroutines: int64(runtime.NumGoroutine()),
	}
	for _, size := range open {
		u.maps += size
	}
	return u
}

// expectNothingLeft expects that no entry of an operation stays in the maps, and only those
// of processes that stay: what a program left behind as its process was killed goes with
// the next sweep. The hostile process has entries.
func (s *soak) expectNothingLeft(t *testing.T) {
	t.Helper()
	want := map[string]int{"operations": 0, "processes": s.staying - 1}
	var left map[string]int
	for over := time.Now().Add(tracing.Patience); ; time.Sleep(usageInterval) {
		if left = s.entries(t, want); maps.Equal(left, want) {
			return
		}
		if time.Now().After(over) {
			break
		}
	}
	t.Errorf("entries in maps when nothing is traced but %d processes that rest: %v, want %v",
		s.staying, left, want)
}

// entries adds up the entries of the engine's maps of each of the names.
func (s *soak) entries(t *testing.T, names map[string]int) map[string]int {
	t.Helper()
	ids, err := resources.Maps()
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]int{}
	for id := range ids {
		name, entries, err := resources.Entries(id, s.hostile.PID)
		if err != nil {
			t.Fatal(err)
		}
		if _, wanted := names[name]; wanted {
			sums[name] += entries
		}
	}
	return sums
}

// measure is one thing that is used, over time.
type measure struct {
	what    string
	all     []usage
	of      func(usage) int64
	allowed int64 // how much more it may be at the end
}

// measures are all of them. What is resident settles while the first phase lasts.
func measures(busy, rest []usage) []measure {
	resident := func(u usage) int64 { return u.resident }
	return []measure{
		{"bytes resident under load", busy, resident, 4 << 20},
		{"bytes resident at rest", rest[1:], resident, 4 << 20},
		{"bytes of BPF maps at rest", rest, func(u usage) int64 {
			return u.maps
		}, flooding * mostEntry},
		{"calls in flight under load", busy, func(u usage) int64 {
			return u.active
		}, lanes*callRate + flooding},
		{"calls in flight at rest", rest, func(u usage) int64 { return u.active }, flooding},
		{"file descriptors at rest", rest, func(u usage) int64 { return u.descriptors }, 0},
		{"goroutines at rest", rest, func(u usage) int64 { return u.goroutines }, 0},
	}
}

// expectSteady expects that the engine uses at the end what it has used at the
// beginning.
func expectSteady(t *testing.T, all []measure) {
	t.Helper()
	for _, m := range all {
		if first, last := m.trend(); last > first+m.allowed {
			t.Errorf("%s: %d in the first fifth of the run, %d in the last", m.what, first, last)
		}
	}
}

// trend is the median of the first fifth, and of the last.
func (m measure) trend() (first, last int64) {
	fifth := max(len(m.all)/5, 1)
	return m.median(m.all[:fifth]), m.median(m.all[len(m.all)-fifth:])
}

func (m measure) median(some []usage) int64 {
	values := make([]int64, len(some))
	for i, u := range some {
		values[i] = m.of(u)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
