package faults

import (
	"context"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// another is a build of the same program in which everything lies elsewhere.
var another = target.Build{
	Source: build.Source, Go: build.Go,
	Flags: []string{"-gcflags=all=-N -l"},
}

// rewrite writes a file's bytes over another's, as `cat from > to` does.
func rewrite(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	sink, err := os.OpenFile(to, os.O_WRONLY|os.O_TRUNC|os.O_CREATE, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(sink, source); err != nil {
		return err
	}
	return sink.Close()
}

func place(t *testing.T, executable, path string) {
	t.Helper()
	if err := rewrite(executable, path); err != nil {
		t.Fatal(err)
	}
}

// serveOne makes one request to a new process, which must answer and end well.
func serveOne(t *testing.T, executable string) {
	t.Helper()
	server := target.Start(t, executable)
	if err := server.Get("/hello/there"); err != nil {
		t.Errorf("the target does not serve: %v", err)
	}
	if err := server.Stop(); err != nil {
		t.Errorf("the target did not end well: %v", err)
	}
}

func TestAFileRewrittenInPlaceNeverCrashesItsNextProcess(t *testing.T) {
	builds := []string{target.MustCompile(t, build), target.MustCompile(t, another)}
	path := filepath.Join(t.TempDir(), "server")
	place(t, builds[0], path)
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{Exe: path}}})
	server := target.Start(t, path)
	tracer.AwaitTracing(t, 1)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		place(t, builds[(i+1)%2], path)
		serveOne(t, path)
	}
	// What is there now is traced as what it is.
	before := len(tracer.Spans())
	server = target.Start(t, path)
	tracer.AwaitTracing(t, 1)
	if err := server.Get("/hello/there"); err != nil {
		t.Fatal(err)
	}
	if spans := tracer.Await(t, before+1); spans[len(spans)-1].Name() != "GET /hello/{name}" {
		t.Errorf("the rewritten file's span is %q", spans[len(spans)-1].Name())
	}
}

func TestAFileReplacedByRenameIsFollowed(t *testing.T) {
	builds := []string{target.MustCompile(t, build), target.MustCompile(t, another)}
	path := filepath.Join(t.TempDir(), "server")
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{Exe: path}}})
	for i := range 4 {
		place(t, builds[i%2], path+".new")
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		before := len(tracer.Spans())
		server := target.Start(t, path)
		tracer.AwaitTracing(t, 1)
		if err := server.Get("/hello/there"); err != nil {
			t.Fatal(err)
		}
		if spans := tracer.Await(t, before+1); len(spans) != before+1 {
			t.Errorf("replacement %d: %d spans of one request", i, len(spans)-before)
		}
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
		tracer.AwaitTracing(t, 0)
	}
	// A file without a name is not held on to.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	tracing.Eventually(t, func() bool {
		return tracer.MustStats(t).Executables == 0
	}, "the removed file to be detached")
}

func TestContainersOfOneImageGiveEachRequestOnce(t *testing.T) {
	executable := target.MustCompile(t, build)
	work := t.TempDir()
	image := filepath.Join(work, "image")
	if err := os.Mkdir(image, 0o755); err != nil {
		t.Fatal(err)
	}
	place(t, executable, filepath.Join(image, "server"))
	var servers []*target.Server
	for i := range 2 {
		root := overlay(t, filepath.Join(work, fmt.Sprint(i)), image)
		servers = append(servers, target.Start(t, filepath.Join(root, "server")))
	}
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{Exe: filepath.Join(work,
		"**", "server")}}})
	tracer.AwaitTracing(t, len(servers))
	const requests = 20
	for range requests {
		for _, server := range servers {
			if err := server.Get("/hello/container"); err != nil {
				t.Fatal(err)
			}
		}
	}
	byProcess := map[any]int{}
	for _, span := range tracer.Await(t, requests*len(servers)) {
		byProcess[span.Resource["process.pid"]]++
	}
	for _, server := range servers {
		if n := byProcess[int64(server.PID)]; n != requests {
			t.Errorf("process %d: %d spans of %d requests", server.PID, n, requests)
		}
	}
}

// The kernel maps the file of a layer, which has another inode than the overlay's.
func TestAFileRewrittenBehindAnOverlayHasNoProbesOfItsFormerCode(t *testing.T) {
	builds := []string{target.MustCompile(t, build), target.MustCompile(t, another)}
	for layer, file := range map[string]string{"lower": "image/server", "upper": "0/upper/server"} {
		t.Run(layer, func(t *testing.T) {
			work := t.TempDir()
			for _, folder := range []string{"image", "0/upper"} {
				if err := os.MkdirAll(filepath.Join(work, folder), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			behind := filepath.Join(work, file)
			place(t, builds[0], behind)
			path := filepath.Join(overlay(t, filepath.Join(work, "0"),
				filepath.Join(work, "image")), "server")
			server := target.Start(t, path)
			// The next process is no target: whatever is in its code is left from this one.
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
			tracer.AwaitTracing(t, 1)
			if err := server.Stop(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second) // nobody tells the tracer of a writer
			place(t, builds[1], behind)
			server = target.Start(t, path)
			if string(code(t, server.PID, path)) != string(text(t, path)) {
				t.Error("its code is not that of its file")
			}
			if err := server.Get("/hello/there"); err != nil {
				t.Error(err)
			}
		})
	}
}

// overlay mounts a file system over an image, as container engines do. It ends with the test.
func overlay(t *testing.T, folder, image string) string {
	t.Helper()
	root := mountOver(t, folder, image)
	t.Cleanup(func() {
		if err := unix.Unmount(root, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return root
}

func mountOver(t *testing.T, folder, image string) string {
	t.Helper()
	paths := map[string]string{}
	for _, name := range []string{"upper", "work", "root"} {
		paths[name] = filepath.Join(folder, name)
		if err := os.MkdirAll(paths[name], 0o755); err != nil {
			t.Fatal(err)
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", image, paths["upper"],
		paths["work"])
	if err := unix.Mount("overlay", paths["root"], "overlay", 0, options); err != nil {
		t.Fatalf("mount an overlay: %v", err)
	}
	return paths["root"]
}

func TestShutdownLeavesTheTargetAsItWas(t *testing.T) {
	executable := target.MustCompile(t, build)
	server := target.Start(t, executable)
	pristine := code(t, server.PID, executable)
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
	tracer.AwaitTracing(t, 1)
	if string(code(t, server.PID, executable)) == string(pristine) {
		t.Fatal(
			"an attached target has no breakpoint in its code: this test looks in the wrong place",
		)
	}
	if err := tracer.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if string(code(t, server.PID, executable)) != string(pristine) {
		t.Error("the target's code is not what it was before")
	}
	if err := server.Get("/hello/there"); err != nil {
		t.Error(err)
	}
}

// text reads the code that an executable has in its file.
func text(t *testing.T, executable string) []byte {
	t.Helper()
	file, err := elf.Open(executable)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	bytes, err := file.Section(".text").Data()
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// code reads the code that a process runs from its memory.
func code(t *testing.T, pid int, executable string) []byte {
	t.Helper()
	file, err := elf.Open(executable)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text := file.Section(".text")
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	bytes := make([]byte, text.Size)
	if _, err := memory.ReadAt(bytes, int64(text.Addr)); err != nil {
		t.Fatal(err)
	}
	return bytes
}

func TestAFileWithANewTimeStampDoesNotStayAttachedTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server")
	place(t, target.MustCompile(t, build), path)
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{Exe: path}}})
	for i := range 3 {
		if err := os.Chtimes(path, time.Time{},
			time.Now().Add(time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
		server := target.Start(t, path)
		tracer.AwaitTracing(t, 1)
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
		tracer.AwaitTracing(t, 0)
	}
	tracing.Eventually(t, func() bool {
		return tracer.MustStats(t).Executables <= 1
	}, "one attachment of one file")
}
