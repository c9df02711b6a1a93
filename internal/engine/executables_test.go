//go:build linux && (amd64 || arm64)

package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/internal/discover"
	"github.com/spanprobe/spanprobe/internal/model"
)

func TestThatThereIsNothingToTraceInAFileIsRememberedForAWhile(t *testing.T) {
	longAgo := time.Now().Add(-memoryTime - time.Second)
	for name, test := range map[string]struct {
		executable executable
		used       bool
		others     int // files that are known
		kept       bool
	}{
		"what follows from the file": {
			executable: executable{state: executableFailed}, kept: true,
		},
		"after a while": {
			executable: executable{state: executableFailed, idleSince: longAgo},
		},
		"among very many": {
			executable: executable{state: executableFailed}, others: maxRemembered,
		},
		"what may be otherwise the next time": {executable: executable{state: executableWaiting}},
		"what was not looked at":              {executable: executable{state: executableNew}},
		"what somebody runs": {
			executable: executable{state: executableFailed, idleSince: longAgo},
			used:       true, kept: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			for i := range test.others {
				s.executables.byID[model.ExeID{Ino: uint64(i + 2)}] = &executable{}
			}
			x := test.executable
			x.id = model.ExeID{Ino: 1}
			s.executables.byID[x.id] = &x
			if test.used {
				s.processes.appear(discover.Match{Process: model.Process{PID: 7, ID: x.id}}, &x)
			}
			s.executables.advance(&x, useReviewed)
			if _, kept := s.executables.byID[x.id]; kept != test.kept {
				t.Errorf("it is kept: %t", kept)
			}
		})
	}
}

func TestWhatIsKnownToContainTheSDKIsNotOpenedAgain(t *testing.T) {
	s := newScene(t)
	process := model.Process{PID: 7, ID: model.ExeID{Dev: 1, Ino: 2}}
	s.executables.knownSDK[process.ID] = true
	s.follow(discover.Changes{Appeared: []discover.Match{{Process: process}}})
	x := s.executables.byID[process.ID]
	if x.state != executableLeftAlone || s.logs.Len() != 0 {
		t.Errorf("its state is %q: %v", x.state, s.logs.All())
	}
}

func TestThereIsRoomForSoManyExecutablesAndThoseThatAreReleasedMakeRoom(t *testing.T) {
	var x indexes
	for i := range uint32(maxBinaries) {
		if index, left := x.take(); index != i || !left {
			t.Fatalf("the index is %d, %t, want %d", index, left, i)
		}
	}
	if _, left := x.take(); left {
		t.Error("there is room for one more")
	}
	x.give(5)
	x.give(5)
	if index, left := x.take(); index != 5 || !left {
		t.Error("one was returned, and is not to be had")
	}
	if _, left := x.take(); left {
		t.Error("one was returned, by whatever number of calls, and is to be had twice")
	}
}

func TestTheStatusNamesFewExecutables(t *testing.T) {
	s := newScene(t)
	if err := s.executables.failures(); err != nil {
		t.Errorf("nothing failed: %v", err)
	}
	var appeared []discover.Match
	for i := range 100 {
		process := model.Process{
			PID: 1000 + i, Exe: fmt.Sprintf("/bin/%d", i), ID: model.ExeID{Ino: uint64(i + 1)},
		}
		appeared = append(appeared, discover.Match{Process: process})
	}
	s.follow(discover.Changes{Appeared: appeared})
	why := errors.New("why")
	for _, x := range s.executables.byID {
		x.failure = why
	}
	err := s.executables.failures()
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 17 ||
		lines[16] != "and 84 more executables" || !strings.HasSuffix(lines[0], ": why") {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
	if !errors.Is(err, why) {
		t.Error("it is not why")
	}
}
