// Package containers makes containers as engines do, of mount, pid and network
// namespaces and a control group over one image, for tests of how what runs in
// them is traced. It needs root, and no engine.
package containers

import (
	"bufio"
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
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// container is a server in namespaces of its own.
type container struct {
	PID int // the host's

	command *exec.Cmd
	stdin   io.WriteCloser
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
	c := &container{command: exec.Command("/proc/self/exe", image, folder)}
	c.command.Env = append([]string{roleVariable + "=1"}, env...)
	c.command.Stderr = os.Stderr
	c.command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET,
		UseCgroupFD: true, CgroupFD: int(joined.Fd()),
	}
	if c.stdin, err = c.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := c.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.command.Start(); err != nil {
		t.Fatal(err)
	}
	c.PID = c.command.Process.Pid
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Errorf("a container did not end well: %v", err)
		}
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || strings.TrimSpace(line) != address {
		t.Fatalf("the container says %q, %v", line, err)
	}
	return c
}

// stop ends the server, and with it the container.
func (c *container) stop() error {
	if c.command.ProcessState != nil {
		return nil
	}
	c.stdin.Close() // its end is what the server waits for
	return c.command.Wait()
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
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", image, filepath.Join(folder, "upper"), filepath.Join(folder, "work"))
	for _, step := range []func() error{
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
		func() error { return unix.Mount("overlay", root, "overlay", 0, layers) },
		func() error { return os.MkdirAll(filepath.Join(root, "old"), 0o755) },
		func() error { return os.Chdir(root) },
		func() error { return unix.PivotRoot(".", "old") },
		func() error { return unix.Unmount("/old", unix.MNT_DETACH) },
		loopbackUp,
		func() error { return syscall.Exec(serverPath, []string{serverPath, "-listen", address}, os.Environ()) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// loopbackUp does what `ip link set lo up` does.
func loopbackUp() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request)
}

// get makes a request inside the container's network namespace.
func (c *container) get(path string) error {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return dialIn(ctx, c.PID, network, address)
	}}
	response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get("http://" + address + path)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return errors.Join(err, response.Body.Close())
}

// dialIn dials in the network namespace of a process. A socket stays in the
// namespace that it was made in; the thread that went there ends.
func dialIn(ctx context.Context, pid int, network, address string) (net.Conn, error) {
	type result struct {
		net.Conn
		error
	}
	dialed := make(chan result, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err != nil {
			dialed <- result{nil, err}
			return
		}
		defer namespace.Close()
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			dialed <- result{nil, fmt.Errorf("setns: %w", err)}
			return
		}
		connection, err := (&net.Dialer{}).DialContext(ctx, network, address)
		dialed <- result{connection, err}
	}()
	r := <-dialed
	return r.Conn, r.error
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
	t.Cleanup(func() {
		var err error
		for range 100 { // a process takes a moment to leave its group
			if err = os.Remove(folder); err == nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Error(err)
	})
	return folder
}
