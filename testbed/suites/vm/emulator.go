package vm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// oldestQEMU is the oldest release of QEMU that boots all kernels: with 7.2, one
// of 6.12 oopses.
const oldestQEMU = 10

// emulator is the program that makes a machine, by GOARCH, and how it is called.
type emulator struct {
	program string
	debian  string // package
	machine []string
	console string // the device of the serial line
}

func emulatorOf(arch string) (emulator, error) {
	switch arch {
	case "amd64":
		return emulator{"qemu-system-x86_64", "qemu-system-x86", nil, "ttyS0"}, nil
	case "arm64":
		return emulator{"qemu-system-aarch64", "qemu-system-arm", []string{"-M", "virt"}, "ttyAMA0"}, nil
	}
	return emulator{}, fmt.Errorf("no emulator is known for %s", arch)
}

// ProvideEmulator installs the emulator for an architecture if it is not there or
// too old.
func ProvideEmulator(ctx context.Context, cache, arch string) error {
	e, err := emulatorOf(arch)
	if err != nil {
		return err
	}
	version, err := e.version(ctx)
	if err == nil && version >= oldestQEMU {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("install %s of QEMU %d or newer: the one that is here is of release %d (0: there is none)", e.program, oldestQEMU, version)
	}
	if err := e.install(ctx, cache); err != nil {
		return fmt.Errorf("install %s: %w", e.debian, err)
	}
	version, err = e.version(ctx)
	if err == nil && version < oldestQEMU {
		err = fmt.Errorf("%s is of QEMU %d, and %d or newer is needed", e.program, version, oldestQEMU)
	}
	return err
}

// version is the emulator's major release.
func (e emulator) version(ctx context.Context) (int, error) {
	text, err := output(exec.CommandContext(ctx, e.program, "--version"))
	if err != nil {
		return 0, err
	}
	var major int
	if _, err := fmt.Sscanf(text, "QEMU emulator version %d.", &major); err != nil {
		return 0, fmt.Errorf("%s --version says %q: %w", e.program, text, err)
	}
	return major, nil
}

// install installs the emulator from this Debian release or its backports, with
// package sources of its own, whose lists stay in the cache folder.
func (e emulator) install(ctx context.Context, cache string) error {
	configured, err := configuredSuites(ctx)
	if err != nil {
		return err
	}
	release := ""
	for _, c := range configured {
		if !strings.Contains(c.suite, "-") {
			release = c.suite
		}
	}
	sources, err := aptSources(ctx, filepath.Join(cache, "apt-install"), release, release+"-backports")
	if err != nil {
		return err
	}
	options := withOptions(sources)
	if _, err := output(exec.CommandContext(ctx, "apt-get", append(options, "update")...)); err != nil {
		return err
	}
	args := append([]string{"env", "DEBIAN_FRONTEND=noninteractive", "apt-get"}, options...)
	args = append(args, "install", "-y", "--no-install-recommends", "-t", release+"-backports", e.debian)
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "Installing QEMU needs root: sudo asks for it.")
		args = append([]string{"sudo"}, args...)
	}
	command := exec.CommandContext(ctx, args[0], args[1:]...)
	command.Stdin = os.Stdin
	_, err = output(command)
	return err
}
