//go:build linux && (amd64 || arm64)

package engine

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/attach"
	"github.com/spanprobe/spanprobe/internal/discover"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/wire"
	"github.com/spanprobe/spanprobe/offsets"
)

// scene is a controller among a finder and a kernel that do as the test says. calls are those of
// both, in their order.
type scene struct {
	*controller
	t      *testing.T
	logs   *observer.ObservedLogs
	calls  []string
	status []error

	// The finder.
	check   func(pid int) discover.Changes
	exec    func(pid int) discover.Changes
	byFile  bool
	rejects bool

	// The kernel.
	traces     map[int]wire.Process
	adopted    map[model.ExeID]uint32
	operations map[attach.Operation]bool
	partly     bool         // a sweep does not see all operations
	attach     func() error // called by the preparer
	losses     map[wire.ProcessKey]wire.LostOperations
	remove     func() error
}

func newScene(t *testing.T) *scene {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	s := &scene{
		t: t, logs: logs,
		traces: map[int]wire.Process{}, adopted: map[model.ExeID]uint32{},
		operations: map[attach.Operation]bool{},
		losses:     map[wire.ProcessKey]wire.LostOperations{},
	}
	settings := Settings{
		Logger: zap.New(core), Libraries: all.Libraries(), Offsets: offsets.Default(),
		Status: func(err error) { s.status = append(s.status, err) },
	}
	counts := newCounts()
	s.controller = newController(
		Config{Targets: []Target{{Exe: "/**"}}}, settings, fakeKernel{s}, fakeFinder{s},
		newRegistry(), counts, func() (Stats, error) { return counts.stats(), nil })
	return s
}

func (s *scene) call(format string, arguments ...any) {
	s.calls = append(s.calls, fmt.Sprintf(format, arguments...))
}

// match is a process that is a target.
func (s *scene) match(pid int, x *executable) discover.Match {
	return discover.Match{Process: model.Process{PID: pid, Exe: x.path, ID: x.id}}
}

// attached is an executable whose probes are in.
func (s *scene) attached() *executable {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "executable")
	if err := os.WriteFile(path, []byte("of Go"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	id, err := discover.FileID(path)
	if err != nil {
		s.t.Fatal(err)
	}
	file, err, noLease := openLeased(nobody, path, id)
	if err != nil || noLease != nil {
		s.t.Fatal(err, noLease)
	}
	index, _ := s.executables.indexes.take()
	x := &executable{
		id: id, path: path, state: executableAttached, index: index,
		probes: &probes{attachment: fakeAttachment{s}, file: file, guard: s.guard},
	}
	s.guard.add(x.probes)
	s.executables.byID[x.id] = x
	return x
}

// lines are the messages of the log so far.
func (s *scene) lines() []string {
	var lines []string
	for _, line := range s.logs.All() {
		lines = append(lines, line.Message)
	}
	return lines
}

type fakeFinder struct{ *scene }

func (f fakeFinder) look(kind string, pid int, find func(int) discover.Changes) discover.Changes {
	f.call("%s %d", kind, pid)
	if find == nil {
		return discover.Changes{}
	}
	return find(pid)
}

func (f fakeFinder) Scan() discover.Changes         { return f.look("scan", 0, nil) }
func (f fakeFinder) Exec(pid int) discover.Changes  { return f.look("exec", pid, f.exec) }
func (f fakeFinder) Check(pid int) discover.Changes { return f.look("check", pid, f.check) }
func (f fakeFinder) ByFile(string) bool             { return f.byFile }
func (f fakeFinder) Rejects(int, uint64) bool       { return f.rejects }

func (f fakeFinder) Exit(pid int, _ uint64) discover.Changes { return f.look("exit", pid, gone) }

func (f fakeFinder) Listen(int, uint64, uint16) discover.Changes { return discover.Changes{} }

func gone(pid int) discover.Changes {
	return discover.Changes{Gone: []model.Process{{PID: pid}}}
}

type fakeKernel struct{ *scene }

func (k fakeKernel) Trace(pid int, p wire.Process) (wire.Process, error) {
	k.call("trace %d", pid)
	if there, ok := k.traces[pid]; ok && there.Binary == p.Binary {
		return there, nil
	}
	k.traces[pid] = p
	return p, nil
}

func (k fakeKernel) Forget(pid int, generation uint32) error {
	k.call("forget %d", pid)
	if k.traces[pid].Generation == generation {
		delete(k.traces, pid)
	}
	return nil
}

func (k fakeKernel) Traces(pid int, generation uint32) bool {
	there, ok := k.traces[pid]
	return ok && there.Generation == generation
}

func (k fakeKernel) Adopt(id model.ExeID, index uint32) error {
	k.call("adopt")
	k.adopted[id] = index
	return nil
}

func (k fakeKernel) Disown(id model.ExeID, _ uint32) error {
	k.call("disown")
	delete(k.adopted, id)
	return nil
}

func (k fakeKernel) Attach(*os.File, uint32, *plan.Plan) (attachment, error) {
	if k.attach != nil {
		if err := k.attach(); err != nil {
			return nil, err
		}
	}
	return fakeAttachment(k), nil
}

func (k fakeKernel) Sweep(gone func(int, uint32) bool) (attach.Swept, bool, error) {
	return k.SweepOperations(func(o attach.Operation) bool { return gone(o.PID, o.Generation) })
}

func (k fakeKernel) SweepOperations(
	gone func(attach.Operation) bool,
) (swept attach.Swept, whole bool, err error) {
	swept.Unfinished = map[wire.ProcessKey]int{}
	for _, o := range slices.Collect(maps.Keys(k.operations)) {
		if gone(o) {
			delete(k.operations, o)
			swept.Unfinished[wire.ProcessKey{Tgid: uint32(o.PID), Generation: o.Generation}]++
		}
	}
	return swept, !k.partly, nil
}

func (k fakeKernel) Losses() (map[wire.ProcessKey]wire.LostOperations, error) {
	return maps.Clone(k.losses), nil
}

func (k fakeKernel) TakeLosses(key wire.ProcessKey) (wire.LostOperations, error) {
	lost := k.losses[key]
	delete(k.losses, key)
	return lost, nil
}

// fakeAttachment is closed in the background: it calls nothing of the scene's but remove.
type fakeAttachment struct{ *scene }

func (a fakeAttachment) Demand(string) error { return nil }

func (a fakeAttachment) Close() error {
	if a.remove == nil {
		return nil
	}
	return a.remove()
}
