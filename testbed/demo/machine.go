package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// The oldest kernel that the receiver works on.
const (
	kernelMajor = 6
	kernelMinor = 1
)

// machine is what the demo must know of where it runs.
type machine struct {
	kernel string // release: "6.12.0-amd64"
	golang string // version of Go that builds the testbed: "go1.26.8"
	root   bool
}

func (m machine) String() string {
	who := "root"
	if !m.root {
		who = "not root: sudo runs the collector"
	}
	return fmt.Sprintf("Linux %s, %s, %s, %s", m.kernel, runtime.GOARCH, m.golang, who)
}

// lookAtMachine fails early with what would fail late, after minutes of building.
func lookAtMachine(ctx context.Context, t tree) (machine, error) {
	if runtime.GOOS != "linux" || (runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64") {
		return machine{}, fmt.Errorf("spanprobe works with eBPF, on Linux on amd64 and arm64; this is %s on %s (a virtual machine will do)", runtime.GOOS, runtime.GOARCH)
	}
	m := machine{root: os.Geteuid() == 0}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return m, err
	}
	m.kernel = strings.TrimSpace(string(release))
	if err := checkKernel(m.kernel); err != nil {
		return m, err
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		return m, fmt.Errorf("the kernel does not describe its types (CONFIG_DEBUG_INFO_BTF), which loading BPF programs needs: %w", err)
	}
	if !m.root {
		if _, err := exec.LookPath("sudo"); err != nil {
			return m, errors.New("attaching uprobes needs root, and there is no sudo: run `make demo` as root")
		}
	}
	// In the testbed's directory, since its go.mod may choose another toolchain.
	command := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	command.Dir = t.testbed()
	version, err := command.Output()
	if err != nil {
		return m, fmt.Errorf("`go env GOVERSION`: %w", err)
	}
	m.golang = strings.TrimSpace(string(version))
	return m, nil
}

func checkKernel(release string) error {
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return fmt.Errorf("kernel release %q: %w", release, err)
	}
	if major < kernelMajor || major == kernelMajor && minor < kernelMinor {
		return fmt.Errorf("this is Linux %s; spanprobe needs %d.%d or newer", release, kernelMajor, kernelMinor)
	}
	return nil
}
