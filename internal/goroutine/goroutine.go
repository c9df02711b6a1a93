//go:build linux

// Package goroutine tells from the memory of a process whether one of its goroutines has ended.
package goroutine

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/internal/plan"
)

// The states of a goroutine that has ended: src/runtime/runtime2.go. The bit says that the garbage
// collector looks at the goroutine's stack.
const (
	dead      = 6
	deadExtra = 11 // from Go 1.26 on
	scan      = 0x1000
)

// Ended tells whether the goroutine with this id has ended, which ran on the runtime.g at address g
// of the process. The runtime never frees a g, but gives it to the next goroutine. A read takes as
// long as the process's memory makes it take.
func Ended(pid int, g, id uint64, at plan.Goroutine) (bool, error) {
	var its [8]byte
	if err := read(pid, g+at.ID, its[:]); err != nil {
		return false, err
	}
	if binary.LittleEndian.Uint64(its[:]) != id {
		return true, nil
	}
	var state [4]byte
	if err := read(pid, g+at.Status, state[:]); err != nil {
		return false, err
	}
	switch binary.LittleEndian.Uint32(state[:]) &^ scan {
	case dead, deadExtra:
		return true, nil
	}
	return false, nil
}

// read fills a buffer from the memory of a process.
func read(pid int, address uint64, to []byte) error {
	local := []unix.Iovec{{Base: &to[0], Len: uint64(len(to))}}
	remote := []unix.RemoteIovec{{Base: uintptr(address), Len: len(to)}}
	n, err := unix.ProcessVMReadv(pid, local, remote, 0)
	if err != nil {
		return fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	if n != len(to) {
		return fmt.Errorf("read the memory of process %d: %d of %d bytes", pid, n, len(to))
	}
	return nil
}
