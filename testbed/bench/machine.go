package main

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
)

// describeMachine says what the figures depend on, and nothing that names the machine.
func describeMachine(goVersion string) (m report.Machine, err error) {
	m = report.Machine{Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: goVersion}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return m, fmt.Errorf("uname: %w", err)
	}
	m.Kernel = unix.ByteSliceToString(name.Release[:])
	if m.PossibleCPUs, err = ebpf.PossibleCPU(); err != nil {
		return m, err
	}
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return m, err
	}
	cpus, err := proc.CPUInfo()
	if err != nil {
		return m, err
	}
	memory, err := proc.Meminfo()
	if err != nil || len(cpus) == 0 || memory.MemTotalBytes == nil {
		return m, errors.Join(err, errors.New("/proc describes no processors or no memory"))
	}
	m.Memory = int64(*memory.MemTotalBytes)
	m.CPU = cmp.Or(cpus[0].ModelName, "unknown model")
	if slices.Contains(cpus[0].Flags, "hypervisor") { // X86_FEATURE_HYPERVISOR
		m.Virtualization = "virtual machine"
	}
	return m, nil
}
