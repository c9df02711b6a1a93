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

// leasable are the file systems, by their magic numbers, on which every writer of a file meets its
// lease: those whose content changes by way of this kernel alone, and of the leased inode alone.
// Elsewhere a lease may be had, and guards nothing. An overlay has an inode of its own for each
// file (fs/overlayfs/inode.c), and maps that of a layer: a writer of the layer breaks no lease of
// the overlay. The server of FUSE, NFS or 9p changes a file without a word.
var leasable = map[uint32]bool{
	unix.BTRFS_SUPER_MAGIC:    true,
	unix.EROFS_SUPER_MAGIC_V1: true,
	unix.EXFAT_SUPER_MAGIC:    true,
	unix.EXT4_SUPER_MAGIC:     true, // of ext2 and ext3, too
	unix.F2FS_SUPER_MAGIC:     true,
	unix.ISOFS_SUPER_MAGIC:    true,
	unix.MSDOS_SUPER_MAGIC:    true,
	unix.NILFS_SUPER_MAGIC:    true,
	unix.RAMFS_MAGIC:          true,
	unix.REISERFS_SUPER_MAGIC: true,
	unix.SQUASHFS_MAGIC:       true,
	unix.TMPFS_MAGIC:          true,
	unix.UDF_SUPER_MAGIC:      true,
	unix.XFS_SUPER_MAGIC:      true,
	0x3153464a:                true, // JFS: fs/jfs/jfs_superblock.h
	0x2fc12fc1:                true, // ZFS: include/sys/fs/zfs.h of OpenZFS
	0xca451a4e:                true, // bcachefs: BCACHEFS_STATFS_MAGIC
}

// Lease takes a read lease on the file, which can still be executed. The kernel announces a writer
// by SIGIO, and LeaseBroken tells of the writer, too. Lease asks the file system what it is, and
// waits for the answer.
func Lease(file *os.File) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(file.Fd()), &fs); err != nil {
		return fmt.Errorf("ask what file system it is on: %w", err)
	}
	if !leasable[uint32(fs.Type)] {
		return fmt.Errorf("take a read lease: it would not guard files of this file system "+
			"(statfs(2) says %#x)", uint32(fs.Type))
	}
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
