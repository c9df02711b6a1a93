package soak

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/spanprobe/spanprobe/testbed/internal/tracing"
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
	resident, err := field("/proc/self/status", "VmRSS:")
	if err != nil {
		t.Fatal(err)
	}
	open, err := openMaps()
	if err != nil {
		t.Fatal(err)
	}
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	u := usage{
		resident: resident << 10, active: int64(s.tracer.MustStats(t).Active),
		descriptors: int64(len(descriptors)), goroutines: int64(runtime.NumGoroutine()),
	}
	for _, size := range open {
		u.maps += size
	}
	return u
}

// openMaps are the BPF maps that this process has open: their ids, and their size
// in bytes.
func openMaps() (map[ebpf.MapID]int64, error) {
	maps := map[ebpf.MapID]int64{}
	files, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		id, err := field(file, "map_id:")
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, errNoField) {
			continue // closed by now, or something else
		}
		if err != nil {
			return nil, err
		}
		if maps[ebpf.MapID(id)], err = field(file, "memlock:"); err != nil {
			return nil, err
		}
	}
	return maps, nil
}

var errNoField = errors.New("no such field")

// field reads a number out of a file of /proc.
func field(path, name string) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if words := strings.Fields(lines.Text()); len(words) > 1 && words[0] == name {
			return strconv.ParseInt(words[1], 10, 64)
		}
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("%s: %s: %w", path, name, errNoField)
}

// expectNothingLeft expects that no entry of an operation stays in the maps, and only those
// of processes that stay: what a program left behind as its process was killed goes with
// the next sweep.
func (s *soak) expectNothingLeft(t *testing.T) {
	t.Helper()
	want := map[string]int{"operations": 0, "processes": s.staying}
	var left map[string]int
	for over := time.Now().Add(tracing.Patience); ; time.Sleep(usageInterval) {
		left = s.entries(t, want)
		if maps.Equal(left, want) {
			return
		}
		if time.Now().After(over) {
			break
		}
	}
	t.Errorf("entries in maps when nothing is traced but %d processes that rest: %v, want %v", s.staying, left, want)
}

// entries adds up the entries of the engine's maps of each of the names.
func (s *soak) entries(t *testing.T, names map[string]int) map[string]int {
	t.Helper()
	ids, err := openMaps()
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]int{}
	for id := range ids {
		name, entries, err := countEntries(id)
		if err != nil {
			t.Fatal(err)
		}
		if _, wanted := names[name]; wanted {
			sums[name] += entries
		}
	}
	return sums
}

func countEntries(id ebpf.MapID) (name string, entries int, err error) {
	m, err := ebpf.NewMapFromID(id)
	if err != nil {
		return "", 0, err
	}
	defer m.Close()
	info, err := m.Info()
	if err != nil {
		return "", 0, err
	}
	if info.Type != ebpf.Hash {
		return info.Name, 0, nil
	}
	var key, value []byte
	all := m.Iterate()
	for all.Next(&key, &value) {
		entries++
	}
	return info.Name, entries, all.Err()
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
		{"bytes of BPF maps at rest", rest, func(u usage) int64 { return u.maps }, 0},
		{"calls in flight under load", busy, func(u usage) int64 { return u.active }, lanes * callRate},
		{"calls in flight at rest", rest, func(u usage) int64 { return u.active }, 0},
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
