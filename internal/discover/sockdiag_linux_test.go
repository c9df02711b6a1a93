package discover

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheKernelAnswersForListenersAsItsTablesDo(t *testing.T) {
	shop := copySelf(t, "shop")
	for name, prepare := range map[string]func(*exec.Cmd){
		"this namespace": nil,
		"another": func(cmd *exec.Cmd) {
			requireRoot(t)
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		},
	} {
		for _, address := range [][2]string{{"tcp4", "0.0.0.0:0"}, {"tcp6", "[::]:0"}, {"tcp", ":0"}} {
			t.Run(name+" "+address[0], func(t *testing.T) {
				a := act(t, shop, "listen", prepare, address[0], address[1], "")
				var port uint16
				if _, err := fmt.Sscan(a.line(), &port); err != nil {
					t.Fatal(err)
				}
				l := newListeners(newProcfs("/proc"), []uint16{port})
				link := l.proc.path(a.pid(), "ns/net")
				dumped, read := map[uint64]uint16{}, map[uint64]uint16{}
				namespace, err := os.Readlink(link)
				if err != nil {
					t.Fatal(err)
				}
				if err := l.dump(link, namespace, dumped); err != nil {
					t.Fatal(err)
				}
				for _, table := range []string{"net/tcp6", "net/tcp"} {
					if err := l.readTable(a.pid(), table, read); err != nil {
						t.Fatal(err)
					}
				}
				if diff := cmp.Diff(read, dumped); diff != "" || len(read) == 0 {
					t.Errorf("%d sockets, -table +kernel\n%s", len(read), diff)
				}
			})
		}
	}
}

func TestWhoBeginsWithoutASocketIsNotLookedUp(t *testing.T) {
	proc := newFakeProc(t)
	proc.listen("host", map[int]int{77: 80}, nil)
	f := proc.finder(Config{Targets: []Target{{Port: 80}}})
	for sockets, lookups := range map[int]int{0: 0, 1: 1, 100: 1} {
		p := fakeProcess{exe: "shop", stack: sockets + 1}
		for i := range sockets {
			p.sockets = append(p.sockets, 77+i)
		}
		proc.set(10, p)
		look := f.newLook()
		look.quick = true
		f.forget(10, look)
		f.visit(10, look)
		if n := len(look.listeners.spaces); n != lookups {
			t.Errorf("%d sockets: %d namespaces were asked, want %d", sockets, n, lookups)
		}
		if found := len(look.Appeared) == 1; found != (sockets > 0) {
			t.Errorf("%d sockets: %q", sockets, summary(look.Changes))
		}
	}
}
