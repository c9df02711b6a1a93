package discover

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/internal/model"
)

// readFile fills buf with the beginning of a file and returns how much that is.
// It goes around os.File, which would try to poll each of the many small files
// of a scan.
func readFile(path string, buf []byte) (int, error) {
	fd, err := openRetry(path)
	if err != nil {
		return 0, err
	}
	defer syscall.Close(fd)
	for {
		n, err := syscall.Read(fd, buf)
		if err == syscall.EINTR {
			continue
		}
		return max(n, 0), err
	}
}

func openRetry(path string) (int, error) {
	for {
		fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != syscall.EINTR {
			return fd, err
		}
	}
}

// fileID asks for what the kernel knows, and not the file system's server: a FUSE daemon or an NFS
// server that does not answer would hold up whoever asks.
func fileID(path string) (model.ExeID, error) {
	id, _, err := identify(unix.AT_FDCWD, path, 0)
	return id, err
}

// OpenFileID identifies an open file, and gives the number of its names. It does not wait for the
// file system's server.
func OpenFileID(file *os.File) (id model.ExeID, names uint32, err error) {
	// A file that somebody closes meanwhile keeps its descriptor until the call has returned.
	conn, err := file.SyscallConn()
	if err != nil {
		return id, 0, err
	}
	closed := conn.Control(func(fd uintptr) {
		id, names, err = identify(int(fd), "", unix.AT_EMPTY_PATH)
	})
	return id, names, errors.Join(closed, err)
}

func identify(dir int, path string, flags int) (id model.ExeID, names uint32, err error) {
	const wanted = unix.STATX_INO | unix.STATX_SIZE | unix.STATX_MTIME | unix.STATX_NLINK
	var st unix.Statx_t
	if err := unix.Statx(dir, path, flags|unix.AT_STATX_DONT_SYNC, wanted, &st); err != nil {
		return id, 0, &os.PathError{Op: "statx", Path: path, Err: err}
	}
	return model.ExeID{
		Dev:   unix.Mkdev(st.Dev_major, st.Dev_minor),
		Ino:   st.Ino,
		Size:  int64(st.Size),
		Mtime: st.Mtime.Sec*1e9 + int64(st.Mtime.Nsec),
	}, st.Nlink, nil
}
