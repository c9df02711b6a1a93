//go:build linux

package goroutine_test

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/internal/goroutine"
	"github.com/spanprobe/spanprobe/internal/plan"
)

// layout is where Go 1.26 has the two fields on amd64; the offsets table has those of all releases.
var layout = plan.Goroutine{ID: 152, Status: 144}

// The process that is looked at is this test's own, which needs no rights.
func TestAGoroutineHasEndedWhenItsGSaysSoOrIsAnothers(t *testing.T) {
	const id = 17
	for name, test := range map[string]struct {
		id, status uint64
		ended      bool
	}{
		"runnable":                           {id, 1, false},
		"running":                            {id, 2, false},
		"in a system call":                   {id, 3, false},
		"waiting":                            {id, 4, false},
		"waiting, while its stack is read":   {id, 0x1004, false},
		"dead":                               {id, 6, true},
		"dead, while its stack is read":      {id, 0x1006, true},
		"dead, of a thread of C's":           {id, 11, true},
		"another one that runs":              {id + 1, 2, true},
		"another one that has ended as well": {id + 1, 6, true},
		"one without an id":                  {0, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			g := make([]byte, 512)
			binary.LittleEndian.PutUint64(g[layout.ID:], test.id)
			binary.LittleEndian.PutUint32(g[layout.Status:], uint32(test.status))
			address := uint64(uintptr(unsafe.Pointer(&g[0])))
			ended, err := goroutine.Ended(os.Getpid(), address, id, layout)
			runtime.KeepAlive(g)
			if err != nil || ended != test.ended {
				t.Errorf("it has ended: %t; %v", ended, err)
			}
		})
	}
}

func TestMemoryThatCannotBeReadIsAnError(t *testing.T) {
	page := os.Getpagesize()
	const access, kind = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_ANON | unix.MAP_PRIVATE
	memory, err := unix.Mmap(-1, 0, 2*page, access, kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(memory); err != nil {
			t.Error(err)
		}
	})
	if err := unix.Mprotect(memory[page:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	const id = 17
	address := uint64(uintptr(unsafe.Pointer(&memory[0])))
	for name, at := range map[string]plan.Goroutine{
		"no id":        {ID: uint64(page)},
		"half an id":   {ID: uint64(page) - 4},
		"no status":    {ID: 0, Status: uint64(page)},
		"half of this": {ID: 0, Status: uint64(page) - 2},
	} {
		binary.LittleEndian.PutUint64(memory, id)
		if ended, err := goroutine.Ended(os.Getpid(), address, id, at); err == nil || ended {
			t.Errorf("%s: it has ended: %t; %v", name, ended, err)
		}
	}
}

func TestAProcessThatIsGoneIsAnError(t *testing.T) {
	const nobody = 1 << 30 // no process has this id
	ended, err := goroutine.Ended(nobody, 4096, 1, layout)
	if ended || !errors.Is(err, unix.ESRCH) {
		t.Errorf("it has ended: %t; %v", ended, err)
	}
}
