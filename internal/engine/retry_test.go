//go:build linux && (amd64 || arm64)

package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/internal/discover"
	"github.com/spanprobe/spanprobe/internal/model"
)

// begin has a process of a file appear, and its executable prepared.
func (s *scene) begin(path string, id model.ExeID) *executable {
	s.t.Helper()
	match := discover.Match{Process: model.Process{PID: nobody, Exe: path, ID: id}}
	s.follow(discover.Changes{Appeared: []discover.Match{match}})
	s.controller.prepared(<-s.executables.preparer.prepared)
	return s.executables.byID[id]
}

// again has it prepared once more.
func (s *scene) again(x *executable) {
	s.t.Helper()
	s.executables.reviewAll()
	if x.state != executablePreparing {
		s.t.Fatalf("it is %s", x.state)
	}
	s.controller.prepared(<-s.executables.preparer.prepared)
}

func TestWhatFailsForNowIsTriedAgain(t *testing.T) {
	s := newScene(t)
	path, id := placeServer(t)
	for _, err := range []error{unix.ENOMEM, nil} {
		s.attach = func() error { return err }
		x := s.executables.byID[id]
		if x == nil {
			x = s.begin(path, id)
		} else {
			s.again(x)
		}
		want := map[bool]executableState{true: executableAttached, false: executableWaiting}
		if x.state != want[err == nil] {
			t.Errorf("after %v it is %s", err, x.state)
		}
	}
	if len(s.status) != 2 || !errors.Is(s.status[0], unix.ENOMEM) || s.status[1] != nil {
		t.Errorf("status: %v", s.status)
	}
	if n := s.counts.stats().AttachFailures; n != 1 {
		t.Errorf("%d failures", n)
	}
	s.stop()
}

func TestTheSameFailureIsInTheLogOnce(t *testing.T) {
	s := newScene(t)
	path, id := placeServer(t)
	s.attach = func() error { return unix.ENOMEM }
	s.again(s.begin(path, id))
	if lines := s.lines(); len(lines) != 1 || s.counts.stats().AttachFailures != 1 {
		t.Errorf("the log: %q", lines)
	}
	s.stop()
}

func TestTheLackOfFilesToOpenIsExplainedAndPasses(t *testing.T) {
	s := newScene(t)
	path, id := placeServer(t)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	less := limit
	less.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &less); err != nil {
		t.Fatal(err)
	}
	x := s.begin(path, id)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if x.state != executableWaiting || !errors.Is(x.failure, unix.EMFILE) ||
		!strings.Contains(x.failure.Error(), "LimitNOFILE=") {
		t.Errorf("it is %s: %v", x.state, x.failure)
	}
	s.again(x)
	if x.state != executableAttached {
		t.Errorf("with enough files, it is %s: %v", x.state, x.failure)
	}
	s.stop()
}

func TestAnExecutableThatNobodyRunsMakesRoom(t *testing.T) {
	s := newScene(t)
	used, idle := s.attached(), s.attached()
	s.follow(discover.Changes{Appeared: []discover.Match{s.match(1, used)}})
	for range maxBinaries - 2 {
		s.executables.indexes.take()
	}
	path, id := placeServer(t)
	x := s.begin(path, id)
	if x.state != executableWaiting || idle.state != executableDetaching {
		t.Fatalf("it is %s, and the idle one is %s", x.state, idle.state)
	}
	if lines := s.lines(); len(s.status) != 0 || len(lines) != 1 { // "Tracing a target"
		t.Errorf("nothing is wrong: %v, %q", s.status, lines)
	}
	s.executables.removed(<-s.executables.detached)
	s.again(x)
	if x.state != executableAttached || used.state != executableAttached {
		t.Errorf("it is %s, and the used one is %s", x.state, used.state)
	}
	s.stop()
}

func TestWithoutRoomOnlyWhatWouldBeTracedFails(t *testing.T) {
	s := newScene(t)
	for range maxBinaries {
		s.executables.indexes.take()
	}
	path, id := placeServer(t)
	if x := s.begin(path, id); x.state != executableWaiting || !errors.Is(x.failure, errNoRoom) ||
		len(s.status) != 1 {
		t.Errorf("it is %s: %v", x.state, x.failure)
	}
	s.follow(gone(nobody))
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("of nothing"), 0o755); err != nil {
		t.Fatal(err)
	}
	id, err := discover.FileID(text)
	if err != nil {
		t.Fatal(err)
	}
	if x := s.begin(text, id); x.state != executableFailed || x.failure != nil {
		t.Errorf("a file without Go is %s: %v", x.state, x.failure)
	}
	s.stop()
}
