package discover

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// requireRoot skips a test that mounts or changes users. Root must be able to
// do all of it: what is missing then is a failure.
func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make namespaces and to run as another user")
	}
}

// mountRole gives itself a file system of its own, as the first argument says,
// and runs a copy of itself that lies in it. The second argument is an empty
// folder.
func mountRole(args []string) error {
	// The mount namespace and the root belong to this thread; exec takes them
	// along.
	runtime.LockOSThread()
	layout, folder := args[0], args[1]
	run := folder + "/app/server"
	// Each step stands on the one before: what follows a failed unshare would
	// change the host.
	var steps []func() error
	then := func(step func() error) { steps = append(steps, step) }
	if layout != "chroot" {
		then(func() error { return syscall.Unshare(syscall.CLONE_NEWNS) })
		then(
			func() error { return syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "") },
		)
		then(func() error { return syscall.Mount("tmpfs", folder, "tmpfs", 0, "") })
	}
	then(func() error { return copyFile("/proc/self/exe", run) })
	if layout != "tmpfs" {
		then(func() error { return copyLibraries(folder) })
		then(func() error { return os.Chdir(folder) })
	}
	switch layout {
	case "pivot":
		then(func() error { return os.Mkdir("old", 0o755) })
		then(func() error { return syscall.PivotRoot(".", "old") })
		then(func() error { return syscall.Unmount("/old", syscall.MNT_DETACH) })
	case "move":
		then(func() error { return syscall.Mount(".", "/", "", syscall.MS_MOVE, "") })
		then(func() error { return syscall.Chroot(".") })
	case "mount+chroot", "chroot":
		then(func() error { return syscall.Chroot(".") })
	}
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("step %d of %s: %w", i, layout, err)
		}
	}
	if layout != "tmpfs" {
		run = "/app/server"
	}
	return syscall.Exec(run, []string{run}, []string{roleVariable + "=wait"})
}

// copyLibraries puts what a dynamically linked test binary needs (cgo and -race
// make it one) into another root: the libraries that this process has mapped,
// and the loader by the name that the binary calls it.
func copyLibraries(root string) error {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return err
	}
	var files []string
	for line := range strings.Lines(string(maps)) {
		if fields := strings.Fields(line); strings.Contains(fields[len(fields)-1], ".so") {
			files = append(files, fields[len(fields)-1])
		}
	}
	binary, err := elf.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer binary.Close()
	for _, segment := range binary.Progs {
		if segment.Type == elf.PT_INTERP {
			name, err := io.ReadAll(segment.Open())
			if err != nil {
				return err
			}
			files = append(files, strings.TrimRight(string(name), "\x00"))
		}
	}
	for _, file := range files {
		if err := copyFile(file, root+file); err != nil {
			return err
		}
	}
	return nil
}

// copyFile copies an executable, and makes the folders that its copy lies in.
func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}

func TestAPathIsTheOneOfTheProcessesOwnMountNamespace(t *testing.T) {
	requireRoot(t)
	for _, c := range []struct {
		layout string
		want   func(folder string) string
	}{
		{"tmpfs", func(folder string) string { return folder + "/app/server" }},
		{"pivot", func(string) string { return "/app/server" }},
		{"move", func(string) string { return "/app/server" }},
		{"mount+chroot", func(folder string) string { return folder + "/app/server" }},
		{"chroot", func(folder string) string { return folder + "/app/server" }},
	} {
		t.Run(c.layout, func(t *testing.T) {
			folder := t.TempDir()
			a := act(t, copySelf(t, "shop"), "mount", nil, c.layout, folder)
			if got := a.line(); got != "ready" {
				t.Fatalf("got %q", got)
			}
			f := realFinder(t, Config{Targets: []Target{{PID: a.pid(), Exe: c.want(folder)}}})
			changes := f.Exec(a.pid())
			expect(t, "exec", changes, fmt.Sprintf("+%d/0", a.pid()))
			if t.Failed() {
				link, err := os.Readlink(f.proc.path(a.pid(), "exe"))
				t.Fatalf("the link says %q, %v", link, err)
			}
			// The file is reached though the path leads nowhere from here.
			if id := changes.Appeared[0].Process.ID; id.Ino == 0 || id.Size == 0 {
				t.Errorf("identity %+v", id)
			}
		})
	}
}

func TestPortsOfRealNetworkNamespacesAreKeptApart(t *testing.T) {
	requireRoot(t)
	shop := copySelf(t, "shop")
	outside := act(t, shop, "listen", nil, "tcp4", "127.0.0.1:0", "")
	var port uint16
	if _, err := fmt.Sscan(outside.line(), &port); err != nil {
		t.Fatal(err)
	}
	newNet := func(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET} }
	same := act(t, shop, "listen", newNet, "tcp4", fmt.Sprintf("0.0.0.0:%d", port), "")
	same.line()
	other := act(t, shop, "listen", newNet, "tcp4", fmt.Sprintf("0.0.0.0:%d", port^1), "")
	other.line()

	f := realFinder(t, Config{Targets: []Target{{Exe: shop, Port: int(port)}}})
	expect(t, "scan", scanFor(f, outside), fmt.Sprintf("+%d/0 +%d/0", outside.pid(), same.pid()))
	f = realFinder(t, Config{Targets: []Target{{Exe: shop, Port: int(port ^ 1)}}})
	expect(t, "scan for the other port", scanFor(f, other), fmt.Sprintf("+%d/0", other.pid()))
}

// scanRole scans twice for the process that it is given and prints what was
// wrong each time.
func scanRole(args []string) error {
	var target Target
	if err := json.Unmarshal([]byte(args[0]), &target); err != nil {
		return err
	}
	f, err := New(Config{Targets: []Target{target}})
	if err != nil {
		return err
	}
	fmt.Println(summary(f.Scan()))
	fmt.Println(summary(f.Scan()))
	return nil
}

func TestAMissingRightIsNamedOnceForEachProcess(t *testing.T) {
	requireRoot(t)
	target := act(t, copySelf(t, "shop"), "wait", nil)
	target.line()
	data, err := json.Marshal(Target{PID: target.pid()})
	if err != nil {
		t.Fatal(err)
	}
	// The link leads to the test binary even where its folder is closed to
	// other users.
	nobody := act(t, "/proc/self/exe", "scan", func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: 65534, Gid: 65534},
		}
	}, string(data))
	want := fmt.Sprintf(
		"!/proc/%d/exe: permission denied (needs CAP_SYS_PTRACE or root; who has that is refused by a security module, or by the process itself)",
		target.pid(),
	)
	if got := nobody.line(); got != want {
		t.Errorf("first scan: got %q, want %q", got, want)
	}
	if got := nobody.line(); got != "" {
		t.Errorf("second scan: got %q, want nothing", got)
	}
}
