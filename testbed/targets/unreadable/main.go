// Command unreadable is a program whose memory nobody can read, once the file system of a file does
// not answer: it waits for the file while it holds the lock of its own memory.
//
// It says that it is ready. Its argument is the path of the file, which it opens twice: the second
// time with O_SYNC, which the file system takes for direct I/O. A line has it begin to wait.
package main

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/lines"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: unreadable FILE")
		os.Exit(2)
	}
	buffered := open(0)
	direct := open(os.O_SYNC)
	lines.Serve("ready", func(string) interface{} {
		// The page is locked while it is read.
		go func() {
			_, err := syscall.Pread(buffered, make([]byte, 1), 0)
			must(err)
		}()
		// An mmap of a file with direct I/O drops the file's pages first (fuse_file_mmap in the
		// kernel's fs/fuse/file.c), and waits for those that are locked.
		go func() {
			time.Sleep(100 * time.Millisecond)
			_, err := syscall.Mmap(direct, 0, 4096, syscall.PROT_READ, syscall.MAP_PRIVATE)
			must(err)
		}()
		return "waiting"
	})
}

func open(flags int) int {
	fd, err := syscall.Open(os.Args[1], os.O_RDONLY|flags, 0)
	must(err)
	return fd
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
