package vm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// oldestQEMU is the oldest release of QEMU that boots all kernels: with 7.2, one of 6.12 oopses.
const oldestQEMU = 10

// Emulator is the program that makes a machine, and how it is called.
type Emulator struct {
	program string
	debian  string // package
	machine []string
	console string // the device of the serial line
}

// Emulators are by GOARCH.
var Emulators = map[string]Emulator{
	"amd64": {"qemu-system-x86_64", "qemu-system-x86", nil, "ttyS0"},
	"arm64": {"qemu-system-aarch64", "qemu-system-arm", []string{"-M", "virt"}, "ttyAMA0"},
}

// Provide installs the emulator if it is not there or too old.
func (e Emulator) Provide(ctx context.Context, cache string) error {
	release, _ := e.release(ctx) // 0 if there is none
	if release >= oldestQEMU {
		return nil
	}
	if err := e.install(ctx, cache); err != nil {
		return fmt.Errorf("install %s of QEMU %d or newer (0 is none, this is %d): %w",
			e.program, oldestQEMU, release, err)
	}
	release, err := e.release(ctx)
	if err == nil && release < oldestQEMU {
		err = fmt.Errorf("%s is of QEMU %d, and %d or newer is needed",
			e.program, release, oldestQEMU)
	}
	return err
}

// release is the emulator's major release.
func (e Emulator) release(ctx context.Context) (major int, err error) {
	text, err := output(exec.CommandContext(ctx, e.program, "--version"))
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Sscanf(text, "QEMU emulator version %d.", &major); err != nil {
		return 0, fmt.Errorf("%s --version says %q: %w", e.program, text, err)
	}
	return major, nil
}

// install installs the emulator from this Debian release or its backports.
func (e Emulator) install(ctx context.Context, cache string) error {
	d, err := thisDebian(ctx)
	if err != nil {
		return err
	}
	backports := d.release + "-backports"
	folder := filepath.Join(cache, "apt-install")
	p, err := openPackages(ctx, d, folder, nil, d.release, backports)
	if err != nil {
		return err
	}
	args := []string{
		"env", "DEBIAN_FRONTEND=noninteractive",
		"apt-get", "-q", "install", "-y", "--no-install-recommends", "-t", backports, e.debian,
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "Installing QEMU needs root: sudo asks for it.")
		args = append([]string{"sudo"}, args...)
	}
	command := p.command(ctx, args...)
	command.Stdin = os.Stdin
	_, err = output(command)
	return err
}
