package attach

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"golang.org/x/sys/unix"
)

// The oldest kernel that has all that is needed: bpf_loop, attach cookies,
// per-CPU freelists of unallocated hash maps (all by 6.1, an LTS release).
const (
	oldestMajor = 6
	oldestMinor = 1
)

// initPIDNamespace is the inode of the host's pid namespace: PROC_PID_INIT_INO
// in the kernel's include/linux/proc_ns.h.
const initPIDNamespace = "pid:[4026531836]"

// capabilities are those that the collector needs, with their use.
var capabilities = []struct {
	bit  uint
	name string
	why  string
}{
	{unix.CAP_BPF, "CAP_BPF", "to load BPF programs and maps"},
	{unix.CAP_PERFMON, "CAP_PERFMON", "to attach uprobes and tracepoints"},
	{unix.CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "to read the executables of other users' processes"},
	{
		unix.CAP_DAC_READ_SEARCH,
		"CAP_DAC_READ_SEARCH",
		"to read executables that only their owner may read",
	},
}

// CheckRequirements says what this machine or this process lacks, and how to
// give it. It changes nothing.
func CheckRequirements() error {
	return errors.Join(
		checkKernel(), checkCapabilities(), checkDescriptors(), checkPIDNamespace(), checkBTF(),
		checkLockdown(),
	)
}

// CheckWrites says why programs may not write to the memory of targets here; "": they may.
func CheckWrites() (refusal string, err error) {
	held, err := ownCapabilities()
	if err != nil {
		return "", err
	}
	return refusalOfWrites(features.HaveProgramHelper(ebpf.Kprobe, asm.FnProbeWriteUser), held)
}

// refusalOfWrites makes a reason of the result of an attempt to load a program that writes, and of
// the capabilities of this process.
func refusalOfWrites(attempt error, held uint64) (refusal string, err error) {
	switch {
	case attempt == nil:
		return "", nil
	case !errors.Is(attempt, ebpf.ErrNotSupported) && !errors.Is(attempt, unix.EPERM):
		return "", fmt.Errorf("ask whether programs may write to other processes: %w", attempt)
	case held&(1<<unix.CAP_SYS_ADMIN) == 0:
		return "writing it takes CAP_SYS_ADMIN, which the collector does not have", nil
	}
	return "the kernel is locked down, as it is where Secure Boot is on, and refuses every write to another process", nil
}

func checkKernel() error {
	version, err := features.LinuxVersionCode()
	if err != nil {
		return fmt.Errorf("ask for the version of the kernel: %w", err)
	}
	if version >= oldestMajor<<16|oldestMinor<<8 {
		return nil
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return fmt.Errorf("uname: %w", err)
	}
	return fmt.Errorf("kernel %s is too old: spanprobe needs Linux %d.%d or newer",
		unix.ByteSliceToString(name.Release[:]), oldestMajor, oldestMinor)
}

// checkLockdown refuses a kernel that keeps its memory to itself. Programs could not tell which
// connection a request is on. And cilium/ebpf takes such a kernel for one from before Linux 5.5: it
// has programs read a target's memory by a helper that the kernel refuses as well (v0.22,
// linker.go, fixupProbeReadKernel).
func checkLockdown() error {
	if features.HaveProgramType(ebpf.Kprobe) != nil {
		return nil //nolint:nilerr // Load reports the error
	}
	return confidential(features.HaveProgramHelper(ebpf.Kprobe, asm.FnProbeReadKernel))
}

// confidential makes an error of the result of an attempt to load a program that reads the kernel's
// memory.
func confidential(attempt error) error {
	switch {
	case attempt == nil, errors.Is(attempt, unix.EPERM): // checkCapabilities reports their lack
		return nil
	case errors.Is(attempt, ebpf.ErrNotSupported), errors.Is(attempt, unix.EINVAL):
		return errors.New(
			"the kernel is locked down for confidentiality, and keeps eBPF programs from reading memory: " +
				"boot it with lockdown=integrity, which is what Secure Boot asks for",
		)
	}
	return fmt.Errorf("ask whether programs may read the kernel's memory: %w", attempt)
}

// ownCapabilities are the effective ones of this process, one bit each.
func ownCapabilities() (uint64, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData // of the lower 32 capabilities, and of the upper ones
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return 0, fmt.Errorf("ask for the capabilities of this process: %w", err)
	}
	return uint64(sets[1].Effective)<<32 | uint64(sets[0].Effective), nil
}

func checkCapabilities() error {
	effective, err := ownCapabilities()
	if err != nil {
		return err
	}
	var missing, reasons []string
	for _, c := range capabilities {
		if effective&(1<<c.bit) == 0 {
			missing = append(missing, c.name)
			reasons = append(reasons, c.name+" "+c.why)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf(
		"missing capabilities: %s; run the collector as root, or give them to it with "+
			"AmbientCapabilities= in its systemd unit, securityContext.capabilities.add in Kubernetes, or --cap-add in a container engine",
		strings.Join(reasons, ", "),
	)
}

// checkPIDNamespace refuses a pid namespace of the collector's own: the kernel
// tells programs the host's process ids, and /proc would show others.
func checkPIDNamespace() error {
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return fmt.Errorf("read the pid namespace of this process: %w", err)
	}
	if namespace != initPIDNamespace {
		return errors.New(
			"the collector runs in a pid namespace of its own, in which it cannot see the processes of the host: " +
				"give it the host's (hostPID: true in Kubernetes, --pid=host in a container engine)",
		)
	}
	return nil
}

func checkBTF() error {
	if _, err := btf.LoadKernelSpec(); err != nil {
		return fmt.Errorf(
			"the kernel's type information cannot be read (a kernel built with CONFIG_DEBUG_INFO_BTF has it in /sys/kernel/btf/vmlinux): %w",
			err,
		)
	}
	return nil
}
