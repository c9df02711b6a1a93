//go:build linux && (amd64 || arm64)

package engine

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spanprobe/spanprobe/internal/discover"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// lostOf are the losses that are counted, without those that are zero.
func (s *scene) lostOf() map[wire.Loss]uint64 {
	s.t.Helper()
	if err := s.book.look(); err != nil {
		s.t.Fatal(err)
	}
	lost := s.counts.stats().LostOf
	for loss, n := range lost {
		if n == 0 {
			delete(lost, loss)
		}
	}
	return lost
}

// trace has a process of a service traced, and gives the key of its losses.
func (s *scene) trace(pid int, service string, x *executable) wire.ProcessKey {
	s.follow(discover.Changes{Appeared: []discover.Match{{
		Process: model.Process{PID: pid, Exe: x.path, ID: x.id, ServiceName: service},
	}}})
	return wire.ProcessKey{Tgid: uint32(pid), Generation: s.processes.byPID[pid].key.generation}
}

func TestWhatAProcessLosesCountsForItsServiceAlone(t *testing.T) {
	s := newScene(t)
	x := s.attached()
	shop, cart := s.trace(1, "shop", x), s.trace(2, "cart", x)
	shopFull := wire.Loss{Service: "shop", Reason: LostRingBufferFull}
	cartFull := wire.Loss{Service: "cart", Reason: LostRingBufferFull}
	for i, reason := range wire.LossReasons() {
		if _, there := s.counts.stats().LostOf[wire.Loss{Service: "cart", Reason: reason}]; !there {
			t.Errorf("reason %d, %s, has no series before anything is lost", i, reason)
		}
	}

	s.losses[shop] = wire.LostOperations{N: [5]uint64{3}}
	if diff := cmp.Diff(map[wire.Loss]uint64{shopFull: 3}, s.lostOf()); diff != "" {
		t.Error(diff)
	}
	s.losses[shop] = wire.LostOperations{N: [5]uint64{5}}
	s.losses[cart] = wire.LostOperations{N: [5]uint64{1}}
	want := map[wire.Loss]uint64{shopFull: 5, cartFull: 1}
	if diff := cmp.Diff(want, s.lostOf()); diff != "" {
		t.Error(diff)
	}

	// What an ended process has lost since it was last looked at counts too, and makes room.
	s.losses[shop] = wire.LostOperations{N: [5]uint64{6}}
	s.follow(gone(1))
	want[shopFull] = 6
	for range 2 {
		if diff := cmp.Diff(want, s.lostOf()); diff != "" {
			t.Error(diff)
		}
	}
	if len(s.losses) != 1 || len(s.book.seen) != 1 {
		t.Errorf("left: %v, seen: %v", s.losses, s.book.seen)
	}

	// The kernel traces a process, and discovery has not told yet whose it is.
	adopted := wire.ProcessKey{Tgid: 3, Generation: 7}
	s.traces[3] = wire.Process{Generation: adopted.Generation, Binary: x.index}
	s.losses[adopted] = wire.LostOperations{N: [5]uint64{8}}
	if diff := cmp.Diff(want, s.lostOf()); diff != "" {
		t.Error(diff)
	}
	if s.trace(3, "cart", x) != adopted {
		t.Fatal("it has another key")
	}
	want[cartFull] += 8
	if diff := cmp.Diff(want, s.lostOf()); diff != "" {
		t.Error(diff)
	}

	// Another has ended before discovery could tell.
	s.losses[wire.ProcessKey{Tgid: 4, Generation: 9}] = wire.LostOperations{N: [5]uint64{2}}
	want[wire.Loss{Reason: LostRingBufferFull}] = 2
	if diff := cmp.Diff(want, s.lostOf()); diff != "" {
		t.Error(diff)
	}
	if n := s.counts.stats().Lost[LostRingBufferFull]; n != 6+1+8+2 {
		t.Errorf("%d losses in all", n)
	}
}

func TestTheServicesByWhichLossesAreCountedAreBounded(t *testing.T) {
	c := newCounts()
	const services = 3 * maxServices
	for i := range services {
		c.know(fmt.Sprint(i))
	}
	for i := range services {
		c.lose(LostRefused, fmt.Sprint(i), 1)
	}
	of := c.stats().LostOf
	names := map[string]bool{}
	for loss := range of {
		names[loss.Service] = true
	}
	others := of[wire.Loss{Service: otherServices, Reason: LostRefused}]
	if len(names) != maxServices+1 || others != services-maxServices {
		t.Errorf("%d names, of which the last has %d losses", len(names), others)
	}
}
