package hostile

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// unreadable is a program that holds the lock of its memory while it waits for a file.
var unreadable = target.Build{Source: "testbed/targets/unreadable", Go: "1.26.8"}

// hanging is a file system with some files, which answers nothing from hang on until it is let go.
type hanging struct {
	folder string
	asked  chan struct{} // closed when somebody waits for an answer
	looks  bool          // looks at a file hang too, and not reads of it alone

	gate sync.RWMutex
	once sync.Once
}

// mountHanging mounts the file system, which ends with the test.
func mountHanging(t *testing.T, contents map[string][]byte) *hanging {
	t.Helper()
	folder, err := os.MkdirTemp("", "spanprobe-hanging-")
	if err != nil {
		t.Fatal(err)
	}
	h := &hanging{folder: folder, asked: make(chan struct{})}
	root := &fs.Inode{}
	server, err := fs.Mount(folder, root, &fs.Options{
		MountOptions: fuse.MountOptions{AllowOther: true, DirectMount: true},
		OnAdd: func(ctx context.Context) {
			for name, bytes := range contents {
				file := root.NewPersistentInode(
					ctx,
					&hangingFile{of: h, contents: bytes},
					fs.StableAttr{},
				)
				root.AddChild(name, file, false)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Unmount(); err != nil {
			t.Error(err)
		}
		if err := os.Remove(folder); err != nil {
			t.Error(err)
		}
	})
	return h
}

// hang has nothing answered until the result is called.
func (h *hanging) hang() (letGo func()) {
	h.gate.Lock()
	return sync.OnceFunc(h.gate.Unlock)
}

// pass waits until the file system answers.
func (h *hanging) pass() {
	if !h.gate.TryRLock() {
		h.once.Do(func() { close(h.asked) })
		h.gate.RLock()
	}
	h.gate.RUnlock()
}

type hangingFile struct {
	fs.Inode
	of       *hanging
	contents []byte
}

// Getattr is asked by whoever looks at the file.
func (f *hangingFile) Getattr(
	_ context.Context, _ fs.FileHandle, out *fuse.AttrOut,
) syscall.Errno {
	if f.of.looks {
		f.of.pass()
	}
	out.Mode, out.Size, out.Nlink = 0o755, uint64(len(f.contents)), 1
	return 0
}

// Open is asked by whoever opens the file.
func (f *hangingFile) Open(
	_ context.Context, flags uint32,
) (fs.FileHandle, uint32, syscall.Errno) {
	if f.of.looks {
		f.of.pass()
	}
	if flags&syscall.O_SYNC == syscall.O_SYNC {
		return nil, fuse.FOPEN_DIRECT_IO, 0
	}
	return nil, fuse.FOPEN_KEEP_CACHE, 0
}

// Flush is asked by whoever closes the file.
func (f *hangingFile) Flush(context.Context, fs.FileHandle) syscall.Errno {
	f.of.pass()
	return 0
}

// Read is asked by whoever reads the file, or touches a page of it.
func (f *hangingFile) Read(
	_ context.Context, _ fs.FileHandle, dest []byte, at int64,
) (fuse.ReadResult, syscall.Errno) {
	f.of.pass()
	from := min(at, int64(len(f.contents)))
	end := min(from+int64(len(dest)), int64(len(f.contents)))
	return fuse.ReadResultData(f.contents[from:end]), 0
}

func TestMemoryThatCannotBeReadHoldsUpNothing(t *testing.T) {
	h := mountHanging(t, map[string][]byte{"page": make([]byte, 4096)})
	executable := copyForNobody(t, unreadable)
	page := filepath.Join(h.folder, "page")
	holder := target.StartCommand(t, asNobody(exec.Command(executable, page)), nil)
	letGo := h.hang()
	t.Cleanup(letGo)
	holder.Ask(t, "wait")
	tracing.Eventually(t, func() bool { return !answers(holder.PID) },
		"the memory of the process to be locked")
	traceBesideHanging(t, h, executable)
}

// answers tells whether the command line of a process can be read. A read that hangs goes on.
func answers(pid int) bool {
	read := make(chan error, 1)
	go func() {
		_, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
		read <- err
	}()
	select {
	case err := <-read:
		return err == nil
	case <-time.After(time.Second):
		return false
	}
}

func TestAFileSystemThatDoesNotAnswerHoldsUpNothing(t *testing.T) {
	program, err := os.ReadFile(target.MustCompile(t, quiet))
	if err != nil {
		t.Fatal(err)
	}
	h := mountHanging(t, map[string][]byte{"target": program})
	executable := filepath.Join(h.folder, "target")
	target.Start(t, executable)
	h.looks = true
	letGo := h.hang()
	t.Cleanup(letGo)
	traceBesideHanging(t, h, executable)
}

// A path of the configuration leads there, and no process runs the file.
func TestAPathOnAFileSystemThatDoesNotAnswerHoldsUpNothing(t *testing.T) {
	h := mountHanging(t, map[string][]byte{"target": {}})
	h.looks = true
	letGo := h.hang()
	t.Cleanup(letGo)
	traceBesideHanging(t, h, filepath.Join(h.folder, "target"))
}

func TestAFileSystemThatStopsAnsweringHoldsUpNoShutdown(t *testing.T) {
	program, err := os.ReadFile(target.MustCompile(t, quiet))
	if err != nil {
		t.Fatal(err)
	}
	h := mountHanging(t, map[string][]byte{"target": program})
	executable := filepath.Join(h.folder, "target")
	server := target.Start(t, executable)
	tracer := startInTime(t, engine.Config{Targets: []engine.Target{{Exe: executable}}})
	tracer.AwaitTracing(t, 1)
	if err := server.Get("/hello/hanging"); err != nil {
		t.Fatal(err)
	}
	awaitSpansOf(t, tracer, server, 1)
	h.looks = true
	letGo := h.hang()
	t.Cleanup(letGo)
	inTime(t, "the shutdown", func() {
		if err := tracer.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// traceBesideHanging traces a quiet server beside an executable of a file system that hangs.
func traceBesideHanging(t *testing.T, h *hanging, executable string) {
	t.Helper()
	quiet := target.MustCompile(t, quiet)
	server := target.Start(t, quiet)
	tracer := startInTime(t, engine.Config{
		Targets: []engine.Target{{Exe: executable}, {Exe: quiet}},
	})
	select {
	case <-h.asked:
	case <-time.After(tracing.Patience):
		t.Fatal("nobody has asked the file system for anything")
	}
	const requests = 100
	tracing.Eventually(t, func() bool { return tracer.MustStats(t).Processes > 0 },
		"the quiet server to be traced")
	for range requests {
		if err := server.Get("/hello/quiet"); err != nil {
			t.Fatal(err)
		}
	}
	awaitSpansOf(t, tracer, server, requests)
	later := target.Start(t, quiet)
	if err := later.Get("/hello/later"); err != nil {
		t.Fatal(err)
	}
	awaitSpansOf(t, tracer, later, 1)

	inTime(t, "the shutdown", func() {
		if err := tracer.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// startInTime starts a tracer, whose end is the test's.
func startInTime(t *testing.T, config engine.Config) (tracer *tracing.Tracer) {
	t.Helper()
	inTime(t, "the start", func() { tracer = tracing.Start(t, config) })
	return tracer
}

// inTime fails the test if something does not end. A test that hangs says nothing.
func inTime(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(tracing.Patience):
		t.Fatalf("%s has not ended after %v", what, tracing.Patience)
	}
}
