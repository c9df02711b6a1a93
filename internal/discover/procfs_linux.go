package discover

import (
	"os"
	"syscall"

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

func fileID(path string) (model.ExeID, error) {
	info, err := os.Stat(path)
	if err != nil {
		return model.ExeID{}, err
	}
	st := info.Sys().(*syscall.Stat_t)
	return model.ExeID{
		Dev:   st.Dev,
		Ino:   st.Ino,
		Size:  st.Size,
		Mtime: st.Mtim.Nano(),
	}, nil
}
