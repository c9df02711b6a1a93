package vm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// archive writes files as an initramfs: cpio in its "newc" format, which
// Documentation/driver-api/early-userspace/buffer-format.rst of the kernel
// describes. It is not compressed: unpacking would take an emulated processor
// longer than reading does.
type archive struct {
	to      io.Writer
	folders map[string]bool
	inode   int // of the last entry
	err     error
}

func newArchive(to io.Writer) *archive {
	return &archive{to: to, folders: map[string]bool{".": true}}
}

// addFile adds a file of this machine at a path from the root.
func (a *archive) addFile(name, source string, mode fs.FileMode) error {
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return a.add(name, file, info.Size(), mode)
}

// addText adds a file with the given content.
func (a *archive) addText(name, content string) error {
	return a.add(name, strings.NewReader(content), int64(len(content)), 0o644)
}

func (a *archive) add(name string, content io.Reader, size int64, mode fs.FileMode) error {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	a.addFolder(path.Dir(name))
	a.header(name, size, 0o100000|uint32(mode.Perm()))
	if a.err == nil {
		_, a.err = io.CopyN(a.to, content, size)
	}
	a.pad(size)
	return a.err
}

func (a *archive) addFolder(name string) {
	if a.folders[name] {
		return
	}
	a.folders[name] = true
	a.addFolder(path.Dir(name))
	a.header(name, 0, 0o040755)
}

// close ends the archive. It does not close what it writes to.
func (a *archive) close() error {
	a.header("TRAILER!!!", 0, 0)
	return a.err
}

// header writes an entry's head: a magic number, thirteen numbers of eight
// hexadecimal digits, and the name.
func (a *archive) header(name string, size int64, mode uint32) {
	if size > 1<<32-1 {
		a.err = errors.Join(a.err, fmt.Errorf("%s has %d bytes, too many for an initramfs", name, size))
	}
	if a.err != nil {
		return
	}
	a.inode++
	head := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.inode, mode, 0, 0, 1, 0, // owner and group root, one link, no time
		size, 0, 0, 0, 0, len(name)+1, 0, name)
	_, a.err = io.WriteString(a.to, head)
	a.pad(int64(len(head)))
}

// pad fills up to a multiple of four bytes.
func (a *archive) pad(written int64) {
	if rest := written % 4; rest != 0 && a.err == nil {
		_, a.err = a.to.Write(make([]byte, 4-rest))
	}
}
