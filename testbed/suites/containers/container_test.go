// Package containers makes containers as engines do, of mount, pid and network
// namespaces and a control group over one image, for tests of how what runs in
// them is traced. It needs root, and no engine.
package containers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/testbed/harness/await"
	"github.com/spanprobe/spanprobe/testbed/harness/netns"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

// container is a server in namespaces of its own, with the host's id of its process.
type container struct {
	*target.Server
	network netns.Namespace
}

// Where the server is in the image, and what it listens on: the same in all
// containers.
const (
	serverPath = "/app/server"
	address    = "127.0.0.1:8080"
)

// roleVariable makes a copy of the test binary the first process of a container.
const roleVariable = "SPANPROBE_TEST_CONTAINER"

// start starts a container of an image, with a folder of its own, in a control
// group.
func start(t *testing.T, image, folder, group string, env ...string) *container {
	t.Helper()
	joined, err := os.Open(group)
	if err != nil {
		t.Fatal(err)
	}
	defer joined.Close()
	command := exec.Command("/proc/self/exe", image, folder)
	command.Env = append([]string{roleVariable + "=1"}, env...)
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET,
		UseCgroupFD: true, CgroupFD: int(joined.Fd()),
	}
	server := target.StartCommand(t, command, nil)
	if server.Address != address {
		t.Fatalf("the container says %q", server.Address)
	}
	return &container{server, netns.Of(t, server.PID)}
}

// become makes the calling process the server of an image: it mounts the
// container's root, and goes there as engines do.
func become(image, folder string) error {
	runtime.LockOSThread()
	root := filepath.Join(folder, "root")
	for _, name := range []string{"upper", "work", "root"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o755); err != nil {
			return err
		}
	}
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s",
		image, filepath.Join(folder, "upper"), filepath.Join(folder, "work"))
	for _, step := range []func() error{
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
		func() error { return unix.Mount("overlay", root, "overlay", 0, layers) },
		func() error { return os.MkdirAll(filepath.Join(root, "old"), 0o755) },
		func() error { return os.Chdir(root) },
		func() error { return unix.PivotRoot(".", "old") },
		func() error { return unix.Unmount("/old", unix.MNT_DETACH) },
		func() error { return netns.Up("lo") },
		func() error {
			return syscall.Exec(serverPath, []string{serverPath, "-listen", address}, os.Environ())
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// get makes a request inside the container's network namespace.
func (c *container) get(path string) error {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: c.dial}
	response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get("http://" +
		address + path)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return errors.Join(err, response.Body.Close())
}

// dial dials in the container's network namespace. A socket stays in the one that it was made in.
func (c *container) dial(
	ctx context.Context, network, address string,
) (connection net.Conn, err error) {
	err = c.network.Do(func() (err error) {
		connection, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	return connection, err
}

// cgroups mounts the hierarchy of version 2, wherever the machine has it, and
// returns the folder of a group in it that ends with the test.
func cgroups(t *testing.T) string {
	t.Helper()
	mount := t.TempDir()
	if err := unix.Mount("cgroup2", mount, "cgroup2", 0, ""); err != nil {
		t.Fatalf("mount the control groups: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(mount, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return cgroup(t, mount, fmt.Sprintf("spanprobe-test-%d", os.Getpid()))
}

// cgroup makes a control group, which ends with the test.
func cgroup(t *testing.T, parent, name string) string {
	t.Helper()
	folder := filepath.Join(parent, name)
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // a process takes a moment to leave its group
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := await.Until(ctx, func(context.Context) error {
			return os.Remove(folder)
		}); err != nil {
			t.Error(err)
		}
	})
	return folder
}
