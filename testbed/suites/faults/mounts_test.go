package faults

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// A file system is busy as long as an executable on it has probes.
func TestAFileSystemCanBeUnmountedSoonAfterTheLastProcessOfItsFiles(t *testing.T) {
	executable := target.MustCompile(t, build)
	for name, test := range map[string]struct {
		mount  func(t *testing.T, folder string) (root string)
		within time.Duration
	}{
		"one with leases":    {mountMemory, 15 * time.Second},
		"one without leases": {mountOverlay, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			root := test.mount(t, t.TempDir())
			path := filepath.Join(root, "server")
			place(t, executable, path)
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{Exe: path}}})
			server := target.Start(t, path)
			tracer.AwaitTracing(t, 1)
			if err := server.Stop(); err != nil {
				t.Fatal(err)
			}
			ended := time.Now()
			for {
				err := unix.Unmount(root, 0)
				waited := time.Since(ended)
				if err == nil && waited <= test.within {
					t.Logf("unmounted after %v", waited)
					return
				}
				if err != nil && !errors.Is(err, unix.EBUSY) || waited > test.within {
					t.Fatalf("after %v: %v", waited, err)
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
}

func mountMemory(t *testing.T, folder string) string {
	t.Helper()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unmountIfMounted(t, folder) })
	return folder
}

func mountOverlay(t *testing.T, folder string) string {
	t.Helper()
	image := filepath.Join(folder, "image")
	if err := os.Mkdir(image, 0o755); err != nil {
		t.Fatal(err)
	}
	root := mountOver(t, folder, image)
	t.Cleanup(func() { unmountIfMounted(t, root) })
	return root
}

// unmountIfMounted unmounts what a test that failed has left.
func unmountIfMounted(t *testing.T, folder string) {
	t.Helper()
	if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
		t.Error(err)
	}
}
