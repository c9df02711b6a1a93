//go:build linux && (amd64 || arm64)

package engine

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spanprobe/spanprobe/internal/discover"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// The kernel reports the exit of traced processes only.
func TestAProcessIsLookedAtAgainOnceItIsTracedWhenAllThatWasFoundIsFollowed(t *testing.T) {
	s := newScene(t)
	x := s.attached()
	s.byFile = true
	s.check = func(pid int) discover.Changes {
		if pid == 1 {
			return gone(pid)
		}
		return discover.Changes{}
	}
	s.follow(discover.Changes{Appeared: []discover.Match{s.match(1, x), s.match(2, x)}})
	want := []string{"trace 1", "adopt", "trace 2", "check 1", "forget 1", "check 2"}
	if diff := cmp.Diff(want, s.calls); diff != "" {
		t.Error(diff)
	}
	lines := []string{"Tracing a target", "Tracing a target", "A target has ended"}
	if diff := cmp.Diff(lines, s.lines()); diff != "" {
		t.Error(diff)
	}
	if n := s.processes.traced(); n != 1 {
		t.Errorf("%d processes are traced", n)
	}
}

// A process may be another one each time that it is looked at. That is followed in a loop, and not
// by following what was found while something else is followed.
func TestReChecksAreQueuedAndDoNotNest(t *testing.T) {
	s := newScene(t)
	x := s.attached()
	const times = 10_000
	looks, depths := 0, map[int]bool{}
	s.check = func(pid int) discover.Changes {
		depths[runtime.Callers(0, make([]uintptr, 256))] = true
		if looks++; looks == times {
			return gone(pid)
		}
		changes := gone(pid)
		changes.Appeared = []discover.Match{s.match(pid, x)}
		return changes
	}
	s.follow(discover.Changes{Appeared: []discover.Match{s.match(1, x)}})
	if looks != times || len(depths) != 1 {
		t.Errorf("%d looks, at %d depths of the stack", looks, len(depths))
	}
	if n := len(s.processes.byPID); n != 0 || s.processes.use(x) {
		t.Errorf("%d processes are left", n)
	}
}

// The same, when the file of a process could not be opened since the process runs another one.
func TestProcessesWhoseFileHasVanishedAreLookedAtAgain(t *testing.T) {
	s := newScene(t)
	x := s.attached()
	x.state, x.probes = executablePreparing, nil
	s.follow(discover.Changes{Appeared: []discover.Match{s.match(1, x), s.match(2, x)}})
	s.exec = gone
	s.prepared(preparation{executable: x, event: processesVanished})
	slices.Sort(s.calls)
	if diff := cmp.Diff([]string{"exec 1", "exec 2"}, s.calls); diff != "" {
		t.Error(diff)
	}
	if _, known := s.executables.byID[x.id]; known || len(s.processes.byPID) != 0 {
		t.Errorf("left: %+v, %d processes", s.executables.byID, len(s.processes.byPID))
	}
}

func TestAnExecThatTheKernelTracedIsConfirmedOrRevoked(t *testing.T) {
	const generation = 77
	key := processKey{1, generation}
	for name, test := range map[string]struct {
		exec     func(*scene, *executable) discover.Changes
		rejects  bool
		traced   bool
		rejected bool
		calls    []string
	}{
		"a target": {
			exec: func(s *scene, x *executable) discover.Changes {
				return discover.Changes{Appeared: []discover.Match{s.match(1, x)}}
			},
			traced: true, calls: []string{"exec 1", "trace 1", "check 1"},
		},
		"no target": {
			exec:    func(*scene, *executable) discover.Changes { return discover.Changes{} },
			rejects: true, rejected: true, calls: []string{"exec 1", "forget 1"},
		},
		"one that is gone": {
			exec:  func(*scene, *executable) discover.Changes { return discover.Changes{} },
			calls: []string{"exec 1", "forget 1"},
		},
		"a target that is gone when it is looked at again": {
			exec: func(s *scene, x *executable) discover.Changes {
				s.check = gone
				return discover.Changes{Appeared: []discover.Match{s.match(1, x)}}
			},
			calls: []string{"exec 1", "trace 1", "check 1", "forget 1", "forget 1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			x := s.attached()
			s.rejects = test.rejects
			s.traces[1] = wire.Process{Generation: generation, Binary: x.index}
			s.exec = func(int) discover.Changes { return test.exec(s, x) }
			s.handle(wire.Event{Kind: wire.EventExec, Tgid: 1, Generation: generation})
			if diff := cmp.Diff(test.calls, s.calls); diff != "" {
				t.Error(diff)
			}
			if traced := s.processes.tracedBy(key) != nil; traced != test.traced {
				t.Errorf("it is traced by the kernel's key: %t", traced)
			}
			if _, traced := s.traces[1]; traced != test.traced {
				t.Errorf("the kernel traces it: %t", traced)
			}
			if entry, _ := s.registry.get(key); entry.rejected != test.rejected {
				t.Errorf("its records are known to be of no target: %t", entry.rejected)
			}
		})
	}
}

// Exec empties the kernel's entry: one that is there was made after exec.
func TestAnExecThatAScanHasOvertakenIsNotFollowedTwice(t *testing.T) {
	s := newScene(t)
	x := s.attached()
	s.follow(discover.Changes{Appeared: []discover.Match{s.match(1, x)}})
	before := len(s.calls)
	s.handle(wire.Event{Kind: wire.EventExec, Tgid: 1})
	if now := s.calls[before:]; len(now) != 0 {
		t.Errorf("calls: %v", now)
	}
	delete(s.traces, 1)
	s.handle(wire.Event{Kind: wire.EventExec, Tgid: 1})
	if now := s.calls[before:]; !slices.Equal(now, []string{"exec 1"}) {
		t.Errorf("calls: %v", now)
	}
}

// The kernel had adopted a process that has ended, and whose id another one has got.
func TestAnExecOfAnEarlierProcessLeavesTheNextOneAloneAndItsOperationsAreSwept(t *testing.T) {
	s := newScene(t)
	x := s.attached()
	s.follow(discover.Changes{Appeared: []discover.Match{s.match(1, x)}})
	key := s.processes.byPID[1].key
	earlier := processKey{1, key.generation - 1}
	s.handle(wire.Event{
		Kind: wire.EventExec, Tgid: earlier.pid, Generation: earlier.generation,
	})
	if s.processes.tracedBy(key) == nil || !s.processes.confirmed(1) {
		t.Error("the next process is not traced any more")
	}
	due, _ := s.registry.unswept(time.Now().Add(underWay))
	if len(due) != 1 || !due[earlier] {
		t.Errorf("to be swept: %v", due)
	}
}

func TestAnEntryFurtherUpMayGiveAProcessAnotherName(t *testing.T) {
	s := newScene(t)
	x := s.attached()
	match := s.match(1, x)
	s.follow(discover.Changes{Appeared: []discover.Match{match}})
	match.Process.ServiceName, s.byFile = "shop", true
	s.follow(discover.Changes{Updated: []discover.Match{match, s.match(2, x)}})
	p := s.processes.byPID[1]
	entry, _ := s.registry.get(p.key)
	if name, _ := entry.resource.Attributes().Get("service.name"); name.AsString() != "shop" {
		t.Errorf("its name is %q", name.AsString())
	}
	if len(s.processes.byPID) != 1 {
		t.Error("a process that never appeared is in the book")
	}
	if _, adopted := s.adopted[x.id]; !adopted {
		t.Error("new processes of the file are not adopted")
	}
}

func TestAShutdownWaitsForWhatIsUnderWayAndTakesEveryProbeOut(t *testing.T) {
	s := newScene(t)
	attached, detaching, preparing := s.attached(), s.attached(), s.attached()
	stop := make(chan struct{})
	close(stop)
	s.executables.preparer.stop = stop
	s.follow(discover.Changes{Appeared: []discover.Match{s.match(1, attached)}})
	s.executables.advance(detaching, writerArrived)
	its := preparing.probes
	preparing.state, preparing.probes = executablePreparing, nil
	s.follow(discover.Changes{Appeared: []discover.Match{
		s.match(2, preparing), s.match(3, detaching),
	}})
	go func() {
		s.executables.preparer.prepared <- preparation{
			executable: preparing, event: preparedProbes, probes: its,
		}
	}()
	s.stop()
	if len(s.executables.byID) != 0 || len(s.traces) != 0 {
		t.Errorf("left: %v, traced: %v", s.executables.byID, s.traces)
	}
	for _, x := range []*executable{attached, detaching, preparing} {
		if x.state != executableReleased || x.probes != nil {
			t.Errorf("%s is %s", x.path, x.state)
		}
	}
	// A process that appears from then on has nothing prepared.
	s.follow(discover.Changes{Appeared: []discover.Match{{Process: model.Process{PID: 4}}}})
	if x := s.processes.byPID[4].executable; x.state != executableNew {
		t.Errorf("it is %s", x.state)
	}
}
