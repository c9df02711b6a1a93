//go:build linux && (amd64 || arm64)

package engine

import (
	"errors"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/internal/attach"
	"github.com/spanprobe/spanprobe/internal/discover"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/wire"
)

func TestWhatEndedProcessesLeftIsSweptWhenNoProbeCanBeUnderWay(t *testing.T) {
	s := newScene(t)
	x := s.attached()
	s.follow(discover.Changes{Appeared: []discover.Match{
		s.match(1, x), s.match(2, x), s.match(3, x),
	}})
	of := map[int]attach.Operation{}
	for pid, p := range s.processes.byPID {
		of[pid] = attach.Operation{PID: pid, Generation: p.key.generation}
		s.operations[of[pid]] = true
	}
	left := func() (left [4]bool) {
		for o := range s.operations {
			left[o.PID] = true
		}
		return left
	}
	s.handle(wire.Event{Kind: wire.EventExit, Tgid: 1})
	now := time.Now()
	s.sweeper.sweepProcesses(now)
	if left() != [4]bool{1: true, 2: true, 3: true} {
		t.Errorf("right after the end of process 1, %v have operations", left())
	}
	later := now.Add(underWay)
	s.partly = true
	s.sweeper.sweepProcesses(later)
	if left() != [4]bool{2: true, 3: true} {
		t.Errorf("after the end of process 1, %v have operations", left())
	}
	if due, _ := s.registry.unswept(later); len(due) != 1 {
		t.Error("it is swept no more although there may be others of its operations")
	}
	s.partly = false
	s.sweeper.sweepProcesses(later)
	if due, _ := s.registry.unswept(later); len(due) != 0 {
		t.Error("it is swept again and again")
	}
	if n := s.counts.stats().Lost[LostUnfinished]; n != 1 {
		t.Errorf("%d operations are counted", n)
	}
}

// withGoroutines is a scene with a process that has begun so many operations long ago.
func withGoroutines(t *testing.T, operations int) *scene {
	t.Helper()
	s := newScene(t)
	x := s.attached()
	x.goroutine = &plan.Goroutine{ID: 152, Status: 144}
	s.follow(discover.Changes{Appeared: []discover.Match{s.match(1, x)}})
	key := s.processes.byPID[1].key
	for i := range operations {
		s.operations[attach.Operation{
			PID: 1, Generation: key.generation, Start: 1, Goroutine: uint64(i), G: 4096,
		}] = true
	}
	return s
}

func TestTheOperationsOfEndedGoroutinesAreSwept(t *testing.T) {
	s := withGoroutines(t, 4)
	s.sweeper.hasEnded = func(_ int, _, id uint64, _ plan.Goroutine) (bool, error) {
		if id == 3 {
			return false, errors.New("not to be read")
		}
		return id == 1, nil
	}
	generation := s.processes.byPID[1].key.generation
	others := map[string]attach.Operation{
		"young": {
			PID: 1, Generation: generation, Start: uint64(sinceBoot()), Goroutine: 1, G: 4096,
		},
		"outlives its goroutine": {PID: 1, Generation: generation, Start: 1, Goroutine: 1},
		"idle":                   {PID: 1, Generation: generation, Goroutine: 1, G: 4096},
		"of an earlier process": {
			PID: 1, Generation: generation - 1, Start: 1, Goroutine: 1, G: 4096,
		},
		"of no target": {PID: 2, Generation: generation, Start: 1, Goroutine: 1, G: 4096},
	}
	for _, o := range others {
		s.operations[o] = true
	}
	s.sweeper.lookAtGoroutines()
	s.sweeper.sweepGoroutines(<-s.sweeper.looked)
	if n := s.counts.stats().Lost[LostUnfinished]; n != 1 || len(s.operations) != 3+len(others) {
		t.Errorf("%d operations are counted, %d are left", n, len(s.operations))
	}
	for name, o := range others {
		if !s.operations[o] {
			t.Errorf("%s: it is swept", name)
		}
	}
}

// A read of its memory takes as long as a target makes it take: meanwhile others come and go, and
// files are given to their writers. A shutdown does not wait for it.
func TestALookAtGoroutinesKeepsNobodyWaiting(t *testing.T) {
	s := withGoroutines(t, 2)
	var x *executable
	for _, x = range s.executables.byID {
	}
	stop, reading, read := make(chan struct{}), make(chan struct{}, 2), make(chan struct{})
	s.sweeper.hasEnded = func(int, uint64, uint64, plan.Goroutine) (bool, error) {
		reading <- struct{}{}
		<-read
		return true, nil
	}
	s.sweeper.lookAtGoroutines()
	<-reading
	s.sweeper.lookAtGoroutines() // does nothing: the last look goes on

	done := make(chan struct{})
	go func() {
		defer close(done)
		s.run(stop)
	}()
	s.events <- wire.Event{Kind: wire.EventExit, Tgid: 1}
	for deadline := time.Now().Add(time.Minute); s.counts.stats().Processes != 0 ||
		len(s.events) != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the exit is not handled")
		}
	}
	close(stop)
	<-done
	if len(s.processes.byPID) != 0 || x.state != executableReleased {
		t.Errorf("%d processes are left, the executable is %s", len(s.processes.byPID), x.state)
	}
	close(read)
	if found := <-s.sweeper.looked; len(found.ended) != 1 || len(reading) != 0 {
		t.Errorf("after the shutdown, it goes on to read: %+v", found)
	}
}
