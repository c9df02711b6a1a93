//go:build linux && (amd64 || arm64)

package engine

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/internal/attach"
	"github.com/spanprobe/spanprobe/internal/discover"
	"github.com/spanprobe/spanprobe/internal/model"
)

// leasedFile is the open file of an executable. It holds a read lease where the file system has
// those, so that a writer waits until the file is closed: internal/attach says what that is for.
type leasedFile struct {
	*os.File
	leased     bool
	unanswered func(change int) // counts the files of which the file system answers no close
}

// openLeased opens the executable of a process and takes a lease on the file. The second error is
// why there is no lease, which is no failure.
func openLeased(pid int, path string, id model.ExeID) (file leasedFile, err, noLease error) {
	opened, err := openExecutable(pid, path, id)
	if err != nil {
		return leasedFile{}, err, nil
	}
	noLease = attach.Lease(opened)
	return leasedFile{File: opened, leased: noLease == nil}, nil, noLease
}

// openExecutable opens the executable of a process. Of a process that has ended, it opens the
// file at the path, if that is the same one: the file may run again.
func openExecutable(pid int, path string, id model.ExeID) (*os.File, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/exe", pid))
	if err == nil || !isGone(err) {
		return file, err
	}
	again, pathErr := openIfSame(path, id)
	if pathErr != nil {
		return nil, err
	}
	return again, nil
}

// openIfSame opens a file at a path that others may change at any moment. A file that is another
// one, such as a device, is not opened: that may have effects.
func openIfSame(path string, id model.ExeID) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	named := os.NewFile(uintptr(fd), path)
	defer named.Close()
	there, _, err := discover.OpenFileID(named)
	if err != nil {
		return nil, err
	}
	if there != id {
		return nil, &os.PathError{Op: "open", Path: path, Err: errAnotherFile}
	}
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", fd))
}

var errAnotherFile = errors.New("is another file by now")

// isGone tells whether an error says that a process has ended.
func isGone(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}

// identity is the identity of the open file as it is now.
func (f leasedFile) identity() (model.ExeID, error) {
	id, _, err := discover.OpenFileID(f.File)
	return id, err
}

// unchanged tells whether a path still leads to the file, and the file is the one that was
// attached: a new time stamp makes it another one for discovery.
func (f leasedFile) unchanged(id model.ExeID) bool {
	there, names, err := discover.OpenFileID(f.File)
	return err == nil && names > 0 && there == id
}

// writerWaits tells whether a writer waits for the lease.
func (f leasedFile) writerWaits() (bool, error) { return attach.LeaseBroken(f.File) }

// closeTime is how long the file system may take to be told that a file is closed.
const closeTime = time.Second

var errCloseUnanswered = errors.New("its file system does not answer that it is closed")

// close returns the lease, which lets a writer go on, and closes the file. A file system that does
// not answer holds up nobody: the file is closed in the background then.
func (f leasedFile) close() error {
	var err error
	if f.leased {
		err = attach.ReturnLease(f.File)
	}
	var closeErr error
	closed := make(chan struct{})
	go func() {
		closeErr = f.Close()
		close(closed)
	}()
	select {
	case <-closed:
		return errors.Join(err, closeErr)
	case <-time.After(closeTime):
	}
	if f.unanswered != nil {
		f.unanswered(1)
		go func() {
			<-closed
			f.unanswered(-1)
		}()
	}
	return errors.Join(err, errCloseUnanswered)
}
