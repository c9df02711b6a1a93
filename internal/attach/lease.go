package attach

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A probe stays at its offset in a file's pages, whatever is written to the file. A breakpoint
// inside an instruction of new code kills the next process that runs the code. While a process runs
// the file, the kernel refuses writers ("text file busy"). Between two processes a read lease
// stands guard: a writer waits until the lease is returned (fcntl(2), "Leases";
// /proc/sys/fs/lease-break-time).

// Lease takes a read lease on the file, which can still be executed. The kernel announces a writer
// by SIGIO, and LeaseBroken tells of the writer, too.
func Lease(file *os.File) error {
	if _, err := unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_RDLCK); err != nil {
		return fmt.Errorf("take a read lease: %w", err)
	}
	return nil
}

// LeaseBroken tells whether a writer is waiting for the lease.
func LeaseBroken(file *os.File) (bool, error) {
	kind, err := unix.FcntlInt(file.Fd(), unix.F_GETLEASE, 0)
	if err != nil {
		return false, fmt.Errorf("look at the lease: %w", err)
	}
	return kind != unix.F_RDLCK, nil
}

// ReturnLease lets writers go on.
func ReturnLease(file *os.File) error {
	if _, err := unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_UNLCK); err != nil {
		return fmt.Errorf("return the lease: %w", err)
	}
	return nil
}
