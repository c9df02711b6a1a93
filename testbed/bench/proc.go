package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
)

// cpuTime is the processor time that a process has used, over all its threads, also those that have
// ended, in nanoseconds: what the kernel spends on its behalf is part of it, and so is what a
// uprobe costs. It is the process's CPU clock; the encoding is that of MAKE_PROCESS_CPUCLOCK with
// CPUCLOCK_SCHED, in the kernel's include/linux/posix-timers_types.h. The files of /proc, which
// procfs reads, have ticks of 10 ms (stat), or nothing of threads that have ended (schedstat).
func cpuTime(pid int) (time.Duration, error) {
	const cpuclockSched = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuclockSched), &ts); err != nil {
		return 0, fmt.Errorf("the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// ownCPUTime is the processor time of this process, and of all its children that have ended.
func ownCPUTime() (time.Duration, error) {
	used, err := cpuTime(os.Getpid())
	if err != nil {
		return 0, err
	}
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &usage); err != nil {
		return 0, fmt.Errorf("the processor time of children that have ended: %w", err)
	}
	return used + time.Duration(usage.Utime.Nano()+usage.Stime.Nano()), nil
}

// residentMemory is the memory of a process that is in RAM, in bytes.
func residentMemory(pid int) (int64, error) {
	process, err := procfs.NewProc(pid)
	if err != nil {
		return 0, err
	}
	status, err := process.NewStatus()
	return int64(status.VmRSS), err
}

// processorUse is how the machine's processors have spent their time.
type processorUse struct{ busy, stolen time.Duration }

// readProcessorUse reads the times of all processors: see proc_stat(5).
func readProcessorUse(mountPoint string) (processorUse, error) {
	proc, err := procfs.NewFS(mountPoint)
	if err != nil {
		return processorUse{}, err
	}
	stat, err := proc.Stat()
	if err != nil {
		return processorUse{}, err
	}
	cpu := stat.CPUTotal
	if cpu.Idle == 0 { // procfs takes missing fields for zeros
		return processorUse{}, errors.New("/proc/stat lacks the times of all processors")
	}
	duration := func(seconds float64) time.Duration {
		return time.Duration(seconds * float64(time.Second)).Round(time.Millisecond)
	}
	// The times of guests are in those of users already.
	busy := cpu.User + cpu.Nice + cpu.System + cpu.IRQ + cpu.SoftIRQ
	return processorUse{duration(busy), duration(cpu.Steal)}, nil
}

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
