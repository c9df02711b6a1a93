package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// oldestKernel is the oldest one that the receiver works on.
var oldestKernel = []int{6, 1}

// lookAtMachine fails early with what would fail late, after minutes of building.
func (d *demo) lookAtMachine(ctx context.Context) (string, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		return "", fmt.Errorf("spanprobe works with eBPF, on Linux on amd64 and arm64; "+
			"this is %s on %s (a virtual machine will do)", runtime.GOOS, runtime.GOARCH)
	}
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", err
	}
	kernel := strings.TrimSpace(string(text))
	if err := checkKernel(kernel); err != nil {
		return "", err
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		return "", fmt.Errorf("the kernel does not describe its types (CONFIG_DEBUG_INFO_BTF), "+
			"which loading BPF programs needs: %w", err)
	}
	who := "root"
	if !isRoot() {
		who = "not root: sudo runs the collector"
		if _, err := exec.LookPath("sudo"); err != nil {
			return "", errors.New(
				"attaching uprobes needs root, and there is no sudo: run `make demo` as root")
		}
	}
	golang, err := goSays(ctx, d.tree.testbed(""), "env", "GOVERSION")
	return fmt.Sprintf("Linux %s, %s, %s, %s", kernel, runtime.GOARCH, golang, who), err
}

func isRoot() bool { return os.Geteuid() == 0 }

func checkKernel(release string) error {
	version := make([]int, 2)
	if _, err := fmt.Sscanf(release, "%d.%d", &version[0], &version[1]); err != nil {
		return fmt.Errorf("kernel release %q: %w", release, err)
	}
	if slices.Compare(version, oldestKernel) < 0 {
		return fmt.Errorf("this is Linux %s; spanprobe needs %d.%d or newer",
			release, oldestKernel[0], oldestKernel[1])
	}
	return nil
}
