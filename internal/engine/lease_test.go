//go:build linux && (amd64 || arm64)

package engine

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spanprobe/spanprobe/internal/attach"
	"github.com/spanprobe/spanprobe/internal/discover"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/testing/testbinary"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// placeServer makes a copy of a server, whose file may be written to.
func placeServer(t *testing.T) (path string, id model.ExeID) {
	t.Helper()
	build := testbinary.Build{
		Go: "1.26.8", Arch: model.Arch(runtime.GOARCH), Form: testbinary.Stripped,
	}
	from, err := os.Open(testbinary.Server(t, build))
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	path = filepath.Join(t.TempDir(), "server")
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	if id, err = discover.FileID(path); err != nil {
		t.Fatal(err)
	}
	return path, id
}

// openToWrite opens a file as a writer does that does not wait.
func openToWrite(path string) error {
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	return syscall.Close(fd)
}

// The whole way of an executable, with a file that is inspected and leased, and no kernel.
func TestAWriterGetsAFileWhenItsProbesAreOut(t *testing.T) {
	s := newScene(t)
	path, id := placeServer(t)
	match := discover.Match{Process: model.Process{PID: nobody, Exe: path, ID: id}}
	s.byFile = true
	s.exec = func(int) discover.Changes {
		return discover.Changes{Appeared: []discover.Match{match}}
	}
	s.handle(wire.Event{Kind: wire.EventExec, Tgid: nobody})
	x := s.executables.byID[id]
	if x.state != executablePreparing {
		t.Fatalf("it is %s", x.state)
	}
	s.prepared(<-s.executables.preparer.prepared)
	if x.state != executableAttached || !x.probes.file.leased {
		t.Fatalf("it is %s: %v", x.state, s.logs.All())
	}
	first := s.processes.byPID[nobody].key
	s.guard.look()
	s.executables.yieldToWriters()
	if x.state != executableAttached {
		t.Fatal("it is detached although nobody writes")
	}
	if err := openToWrite(path); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Fatalf("a writer gets the file while it has probes: %v", err)
	}
	file, removed := x.probes.file.File, make(chan error, 1)
	s.remove = func() error {
		waits, err := attach.LeaseBroken(file)
		if !waits {
			err = errors.Join(err, errors.New("nobody waits"))
		}
		if !errors.Is(openToWrite(path), syscall.EWOULDBLOCK) {
			err = errors.Join(err, errors.New("the writer has the file"))
		}
		removed <- err
		return nil
	}
	s.guard.look()
	<-s.guard.yielded
	s.executables.yieldToWriters()
	if err := <-removed; err != nil {
		t.Errorf("when the probes go: %v", err)
	}
	s.executables.removed(<-s.executables.detached)
	// The process goes on to run: the file is inspected again.
	if x.state != executablePreparing {
		t.Errorf("it is %s", x.state)
	}
	s.prepared(<-s.executables.preparer.prepared)
	if second := s.processes.byPID[nobody].key; second == first || second == (processKey{}) {
		t.Errorf("its key is %+v, and was %+v", second, first)
	}
	want := []string{
		"exec 1073741824", "trace 1073741824", "adopt", "check 1073741824",
		"forget 1073741824", "disown",
		"trace 1073741824", "adopt", "check 1073741824",
	}
	if diff := cmp.Diff(want, s.calls); diff != "" {
		t.Error(diff)
	}
	s.remove = nil
	s.stop()
	if err := openToWrite(path); err != nil {
		t.Errorf("a writer does not get the file when tracing has ended: %v", err)
	}
}

func TestAWriterWaitsForNoBusyController(t *testing.T) {
	s := newScene(t)
	x := s.attached()
	busy, letGo, stop := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s.exec = func(int) discover.Changes {
		close(busy)
		<-letGo
		return discover.Changes{}
	}
	go s.run(stop)
	s.events <- wire.Event{Kind: wire.EventExec, Tgid: nobody}
	<-busy
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(x.path, []byte("else"), 0o755) }()
	select {
	case err := <-written:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the writer waits for ten seconds")
	}
	close(letGo)
	close(stop)
	<-s.done
	if _, known := s.executables.byID[x.id]; known {
		t.Errorf("it is %s", x.state)
	}
}

func TestAFileWithALeaseStaysAttachedForAWhileAfterItsLastProcess(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*executable) error
		stays  bool
	}{
		"as it is": {func(*executable) error { return nil }, true},
		"without a lease": {func(x *executable) error {
			x.probes.file.leased = false
			return attach.ReturnLease(x.probes.file.File)
		}, false},
		"removed": {func(x *executable) error { return os.Remove(x.path) }, false},
		"touched": {func(x *executable) error {
			return os.Chtimes(x.path, time.Time{}, time.Now())
		}, false},
		"long unused": {func(x *executable) error {
			x.idleSince = time.Now().Add(-idleTime - 1)
			return nil
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			x := s.attached()
			if err := test.change(x); err != nil {
				t.Fatal(err)
			}
			s.executables.reviewAll()
			if stays := x.state == executableAttached; stays != test.stays {
				t.Errorf("it stays attached: %t", stays)
			}
			s.stop()
		})
	}
}

func TestAProcessThatAppearsBetweenTwoReviewsKeepsItsFileAttached(t *testing.T) {
	s := newScene(t)
	x := s.attached()
	x.idleSince = time.Now().Add(-idleTime - time.Second)
	s.follow(discover.Changes{Appeared: []discover.Match{s.match(1, x)}})
	s.follow(gone(1))
	if x.state != executableAttached {
		t.Errorf("right after the end of a process, it is %s", x.state)
	}
	s.stop()
}
