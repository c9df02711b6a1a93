package vm

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// entry is what the kernel makes of an entry of an archive.
type entry struct {
	name    string
	mode    uint32
	content string
}

// entriesIn reads an archive as do_name and do_copy do in the kernel's
// init/initramfs.c.
func entriesIn(t *testing.T, archive []byte) []entry {
	t.Helper()
	var list []entry
	for at := 0; ; {
		head := archive[at : at+110]
		var e entry
		var inode, unused, size, nameSize uint32
		fields := []any{&inode, &e.mode, &unused, &unused, &unused, &unused, &size, &unused, &unused, &unused, &unused, &nameSize, &unused}
		if string(head[:6]) != "070701" {
			t.Fatalf("no entry begins at %d: %q", at, head)
		}
		for i, field := range fields {
			if _, err := fmt.Sscanf(string(head[6+8*i:14+8*i]), "%x", field); err != nil {
				t.Fatal(err)
			}
		}
		e.name = string(archive[at+110 : at+110+int(nameSize)-1])
		at = aligned(at + 110 + int(nameSize))
		if e.name == "TRAILER!!!" {
			if at != len(archive) {
				t.Errorf("%d bytes behind the end", len(archive)-at)
			}
			return list
		}
		e.content = string(archive[at : at+int(size)])
		at = aligned(at + int(size))
		list = append(list, e)
	}
}

func aligned(n int) int { return (n + 3) &^ 3 }

func TestAnArchiveHoldsFilesAndTheFoldersTheyNeed(t *testing.T) {
	var written bytes.Buffer
	a := newArchive(&written)
	for _, file := range []struct{ name, content string }{{"/deep/in/a", "content"}, {"/deep/b", ""}} {
		if err := a.addText(file.name, file.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.add("program", bytes.NewReader([]byte("abc")), 3, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	want := []entry{
		{"deep", 0o040755, ""}, {"deep/in", 0o040755, ""}, {"deep/in/a", 0o100644, "content"}, {"deep/b", 0o100644, ""}, {"program", 0o100755, "abc"},
	}
	if diff := cmp.Diff(want, entriesIn(t, written.Bytes()), cmp.AllowUnexported(entry{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatIsTooLargeForAnArchiveIsSaid(t *testing.T) {
	if err := newArchive(&bytes.Buffer{}).add("large", bytes.NewReader(nil), 1<<32, 0o644); err == nil {
		t.Error("4 GiB were written")
	}
}
