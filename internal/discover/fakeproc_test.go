package discover

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// fakeProc is a proc file system made of ordinary files.
type fakeProc struct {
	t    testing.TB
	root string
	bin  string // the folder that holds the executables
}

func newFakeProc(t testing.TB) fakeProc {
	t.Helper()
	f := fakeProc{
		t:    t,
		root: filepath.Join(t.TempDir(), "proc"),
		bin:  filepath.Join(t.TempDir(), "bin"),
	}
	f.mkdir(f.root)
	f.mkdir(f.bin)
	// as in a real /proc, not all names are pids
	f.write(filepath.Join(f.root, "version"), "no process")
	return f
}

// fakeProcess is one process of a fakeProc.
type fakeProcess struct {
	comm    string // "test" if empty
	exe     string // name of the executable in bin; none: a kernel thread's or a zombie's
	start   int
	stack   int
	flags   int
	env     []string
	sockets []int  // inodes
	netns   string // whose tables it sees; see fakeProc.listen
}

func (f fakeProc) set(pid int, p fakeProcess) {
	f.t.Helper()
	dir := filepath.Join(f.root, strconv.Itoa(pid))
	f.remove(pid)
	f.mkdir(filepath.Join(dir, "fd"))
	f.mkdir(filepath.Join(dir, "ns"))
	if p.comm == "" {
		p.comm = "test"
	}
	f.write(
		filepath.Join(dir, "stat"),
		fmt.Sprintf("%d (%s) S 1 1 1 0 -1 %d 0 0 0 0 0 0 0 0 20 0 1 0 %d 4096 1 0 1 1 %d 0 0\n",
			pid, p.comm, p.flags, p.start, p.stack),
	)
	environ := ""
	for _, variable := range p.env {
		environ += variable + "\x00"
	}
	f.write(filepath.Join(dir, "environ"), environ)
	if p.exe != "" {
		file := filepath.Join(f.bin, p.exe)
		if _, err := os.Stat(file); err != nil {
			f.write(file, p.exe)
		}
		f.link(file, filepath.Join(dir, "exe"))
	}
	f.link("/dev/null", filepath.Join(dir, "fd", "0"))
	for i, inode := range p.sockets {
		f.link(fmt.Sprintf("socket:[%d]", inode), filepath.Join(dir, "fd", strconv.Itoa(i+1)))
	}
	if p.netns == "" {
		p.netns = "host"
	}
	f.link("net:["+p.netns+"]", filepath.Join(dir, "ns", "net"))
	f.link(filepath.Join(f.root, "net-"+p.netns), filepath.Join(dir, "net"))
}

func (f fakeProc) remove(pid int) {
	f.t.Helper()
	if err := os.RemoveAll(filepath.Join(f.root, strconv.Itoa(pid))); err != nil {
		f.t.Fatal(err)
	}
}

// listen fills the tables of a network namespace: inode of the socket -> port.
// Sockets that do not listen follow, one of them connected from the first port.
func (f fakeProc) listen(netns string, tcp, tcp6 map[int]int) {
	f.t.Helper()
	dir := filepath.Join(f.root, "net-"+netns)
	f.mkdir(dir)
	heading := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	table := func(address string, sockets map[int]int) string {
		text := heading
		for inode, port := range sockets {
			text += fmt.Sprintf(
				"   0: %s:%04X %s:0000 0A 00000000:00000000 00:00000000 00000000     0        0 %d 1 0 100 0 0 10 0\n",
				address,
				port,
				address,
				inode,
			)
		}
		return text + fmt.Sprintf(
			"   9: %s:%04X %s:CF08 01 00000000:00000000 00:00000000 00000000     0        0 %d 1 0 20 4 1 10 -1\n",
			address,
			connectedPort,
			address,
			connectedInode,
		)
	}
	f.write(filepath.Join(dir, "tcp"), table("0100007F", tcp))
	if tcp6 != nil {
		f.write(filepath.Join(dir, "tcp6"), table("00000000000000000000000001000000", tcp6))
	}
}

// The connected socket that each table of a fakeProc ends with.
const (
	connectedPort  = 9999
	connectedInode = 99
)

func (f fakeProc) finder(config Config) *Finder {
	f.t.Helper()
	config.ProcRoot = f.root
	finder, err := New(config)
	if err != nil {
		f.t.Fatal(err)
	}
	return finder
}

func (f fakeProc) mkdir(path string) {
	f.t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		f.t.Fatal(err)
	}
}

func (f fakeProc) write(path, text string) {
	f.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

func (f fakeProc) link(to, path string) {
	f.t.Helper()
	if err := os.Symlink(to, path); err != nil {
		f.t.Fatal(err)
	}
}
