package vm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"
	"github.com/google/go-cmp/cmp"
)

// archive writes files as an initramfs: Documentation/driver-api/early-userspace/buffer-format.rst
// of the kernel. The archive is not compressed: an emulated processor reads faster than it unpacks.
type archive struct {
	to      *cpio.Writer
	folders map[string]bool
	err     error // the first one, which close returns
}

func newArchive(to io.Writer) *archive {
	return &archive{to: cpio.NewWriter(to), folders: map[string]bool{".": true}}
}

// addFile adds a file of this machine at a path from the root.
func (a *archive) addFile(name, source string, mode cpio.FileMode) {
	file, err := os.Open(source)
	if err != nil {
		a.err = errors.Join(a.err, err)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		a.err = errors.Join(a.err, err)
		return
	}
	a.add(name, file, info.Size(), mode)
}

// addText adds a file with the given content.
func (a *archive) addText(name, content string) {
	a.add(name, strings.NewReader(content), int64(len(content)), 0o644)
}

func (a *archive) add(name string, content io.Reader, size int64, mode cpio.FileMode) {
	if size > math.MaxUint32 {
		a.err = errors.Join(a.err,
			fmt.Errorf("%s has %d bytes, too many for an initramfs", name, size))
	}
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	a.addFolder(path.Dir(name))
	a.header(&cpio.Header{Name: name, Size: size, Mode: cpio.TypeReg | mode})
	if a.err == nil {
		_, a.err = io.CopyN(a.to, content, size)
	}
}

func (a *archive) addFolder(name string) {
	if !a.folders[name] {
		a.folders[name] = true
		a.addFolder(path.Dir(name))
		a.header(&cpio.Header{Name: name, Mode: cpio.TypeDir | 0o755})
	}
}

func (a *archive) header(of *cpio.Header) {
	if a.err == nil {
		a.err = a.to.WriteHeader(of)
	}
}

// close ends the archive. It does not close what it writes to.
func (a *archive) close() error {
	if a.err != nil {
		return a.err
	}
	return a.to.Close()
}

func TestAnArchiveHoldsFilesAndTheFoldersTheyNeed(t *testing.T) {
	var written bytes.Buffer
	a := newArchive(&written)
	a.addText("/deep/in/a", "content")
	a.addText("/deep/b", "")
	a.add("program", strings.NewReader("abc"), 3, 0o755)
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	type entry struct {
		name    string
		mode    cpio.FileMode
		content string
	}
	want := []entry{
		{"deep", 0o040755, ""},
		{"deep/in", 0o040755, ""},
		{"deep/in/a", 0o100644, "content"},
		{"deep/b", 0o100644, ""},
		{"program", 0o100755, "abc"},
	}
	var got []entry
	for reader := cpio.NewReader(&written); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if header.Links > 1 || header.Uid != 0 || header.Guid != 0 {
			t.Errorf("%s has %d links, and is of %d:%d",
				header.Name, header.Links, header.Uid, header.Guid)
		}
		got = append(got, entry{header.Name, header.Mode, string(content)})
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(entry{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if written.Len() > 3 { // but for what aligns the next archive
		t.Errorf("%d bytes behind the end", written.Len())
	}
}

func TestWhatIsTooLargeForAnArchiveIsSaid(t *testing.T) {
	a := newArchive(&bytes.Buffer{})
	a.add("large", strings.NewReader(""), 1<<32, 0o644)
	if err := a.close(); err == nil {
		t.Error("4 GiB were written")
	}
}
