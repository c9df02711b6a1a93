//go:build linux

// Command guest is the first and only program of a test machine's initramfs: it prepares the
// machine, runs the job's programs and turns the machine off.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/testbed/harness/netns"
	"github.com/spanprobe/spanprobe/testbed/suites/vm/job"
)

// mounts are the file systems that the engine and its tests look into. A kernel may lack those
// that are optional.
var mounts = []struct {
	kind, path string
	optional   bool
}{
	{"proc", "/proc", false},
	{"sysfs", "/sys", false},
	{"devtmpfs", "/dev", false},
	{"tmpfs", "/tmp", false},
	{"tracefs", "/sys/kernel/tracing", false},
	{"debugfs", "/sys/kernel/debug", true},
	{"securityfs", "/sys/kernel/security", true},
	{"bpf", "/sys/fs/bpf", true},
	{"cgroup2", "/sys/fs/cgroup", true},
}

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest is the init of a machine that `make test-vm` starts")
		os.Exit(2)
	}
	if err := work(); err != nil {
		fmt.Print(job.Say(job.Fails, "job", err.Error()))
	}
	turnOff()
}

func work() error {
	// The loopback interface gets its addresses by itself when it is up: inetdev_event in the
	// kernel's net/ipv4/devinet.c.
	if err := errors.Join(mountAll(), netns.Up("lo")); err != nil {
		return err
	}
	text, err := os.ReadFile(job.File)
	if err != nil {
		return err
	}
	var todo job.Job
	if err := json.Unmarshal(text, &todo); err != nil {
		return fmt.Errorf("%s: %w", job.File, err)
	}
	for _, path := range todo.Modules {
		if err := load(path); err != nil {
			return err
		}
	}
	for _, run := range todo.Runs {
		fmt.Print(job.Say(job.Begins, run.Name, ""))
		fmt.Print(job.Say(job.Ends, run.Name, execute(run)))
		if fault, err := kernelFault(); err != nil {
			return err
		} else if fault != "" {
			fmt.Print(job.Say(job.Tainted, run.Name, fault))
		}
	}
	fmt.Print(job.Say(job.Done, "", ""))
	return nil
}

func mountAll() error {
	for _, m := range mounts {
		// A folder that the parent file system makes itself cannot be made.
		if err := os.MkdirAll(m.path, 0o755); err != nil && !m.optional {
			return err
		}
		if err := unix.Mount(m.kind, m.path, m.kind, 0, ""); err != nil && !m.optional {
			return fmt.Errorf("mount %s at %s: %w", m.kind, m.path, err)
		}
	}
	return nil
}

// load loads a kernel module. The kernel decompresses the file itself, from 5.17 on
// (MODULE_INIT_COMPRESSED_FILE).
func load(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	flags := 0
	if !strings.HasSuffix(path, ".ko") {
		flags = unix.MODULE_INIT_COMPRESSED_FILE
	}
	if err := unix.FinitModule(int(file.Fd()), "", flags); err != nil {
		return fmt.Errorf("load the kernel module %s: %w", path, err)
	}
	return nil
}

// execute runs a program to its end, and returns its exit code in words.
func execute(run job.Run) string {
	command := exec.Command(run.Program, run.Args...)
	command.Dir = run.Folder
	command.Env = append(os.Environ(), run.Environment...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		return err.Error()
	}
	return command.ProcessState.String()
}

// faults are the bits of /proc/sys/kernel/tainted that mean a fault of the kernel's:
// Documentation/admin-guide/tainted-kernels.rst.
var faults = []string{4: "a machine check", 5: "a bad page", 7: "an oops", 9: "a warning"}

func kernelFault() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/tainted")
	if err != nil {
		return "", err
	}
	tainted, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return "", fmt.Errorf("/proc/sys/kernel/tainted: %w", err)
	}
	var found []string
	for bit, fault := range faults {
		if fault != "" && tainted&(1<<bit) != 0 {
			found = append(found, fault)
		}
	}
	return strings.Join(found, ", "), nil
}

// turnOff ends the machine when the serial line has taken everything.
func turnOff() {
	// With 1 it only waits: tty_ioctl(4). A machine that cannot wait is turned off at once.
	_ = unix.IoctlSetInt(1, unix.TCSBRK, 1)
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Fprintln(os.Stderr, "turn off:", err) // then the kernel panics, since its init ends
	}
}
