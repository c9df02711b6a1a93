package attach

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// Trace makes a process traced. An entry that the kernel has made at the process's start stays. The
// result is the entry in force.
func (k *Kernel) Trace(pid int, p wire.Process) (wire.Process, error) {
	there, err := trace(k.process.Maps[wire.MapProcesses], uint32(pid), p)
	if err != nil {
		return p, fmt.Errorf("trace process %d: %w", pid, err)
	}
	return there, nil
}

// processMap is the map of processes.
type processMap interface {
	Update(key, value any, flags ebpf.MapUpdateFlags) error
	Lookup(key, valueOut any) error
}

func trace(m processMap, pid uint32, p wire.Process) (wire.Process, error) {
	err := m.Update(pid, p, ebpf.UpdateNoExist)
	if !errors.Is(err, ebpf.ErrKeyExist) {
		return p, err
	}
	var there wire.Process
	err = m.Lookup(pid, &there)
	switch {
	case err == nil && there.Binary == p.Binary:
		return there, nil
	case err != nil && !errors.Is(err, ebpf.ErrKeyNotExist):
		return p, err
	}
	// The entry is of another file, or the process has ended, and the kernel has removed it. The
	// recheck that follows sees the end.
	return p, m.Update(pid, p, ebpf.UpdateAny)
}

// Forget makes a process untraced, unless another generation has taken its id.
func (k *Kernel) Forget(pid int, generation uint32) error {
	m := k.process.Maps[wire.MapProcesses]
	var there wire.Process
	err := m.Lookup(uint32(pid), &there)
	if err == nil && there.Generation == generation {
		err = m.Delete(uint32(pid))
	}
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("stop tracing process %d: %w", pid, err)
	}
	return nil
}

// Traces tells whether this process is traced, of this very generation.
func (k *Kernel) Traces(pid int, generation uint32) bool {
	var there wire.Process
	err := k.process.Maps[wire.MapProcesses].Lookup(uint32(pid), &there)
	return err == nil && there.Generation == generation
}

// Adopt makes every process that starts from the file traced from its first
// instruction, as one of the binary.
func (k *Kernel) Adopt(id model.ExeID, binaryIndex uint32) error {
	if err := k.process.Maps[wire.MapFiles].Update(
		fileKey(id), binaryIndex, ebpf.UpdateAny,
	); err != nil {
		return fmt.Errorf("trace new processes of %s: %w", id, err)
	}
	return nil
}

// Disown undoes Adopt, unless another binary has adopted the file by now.
func (k *Kernel) Disown(id model.ExeID, binaryIndex uint32) error {
	var there uint32
	err := k.process.Maps[wire.MapFiles].Lookup(fileKey(id), &there)
	if err == nil && there == binaryIndex {
		err = k.process.Maps[wire.MapFiles].Delete(fileKey(id))
	}
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("stop tracing new processes of %s: %w", id, err)
	}
	return nil
}

// fileKey turns a device number as stat(2) shows it into the kernel's own
// (include/linux/kdev_t.h, MKDEV: 12 bits of major, 20 of minor). A file system
// that shows another device than its super block's (btrfs) finds no match, and
// user space begins to trace its processes once it sees them.
func fileKey(id model.ExeID) wire.FileKey {
	return wire.FileKey{
		Dev: uint64(unix.Major(id.Dev))<<20 | uint64(unix.Minor(id.Dev)),
		Ino: id.Ino,
	}
}
