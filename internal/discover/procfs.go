package discover

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spanprobe/spanprobe/internal/model"
)

// procfs is a mounted proc file system.
type procfs struct {
	root  string
	line  []byte // for one stat file after the other
	reads *boundedReads
}

// real reports whether it is the one of this host, as this process sees it.
func (p procfs) real() bool { return p.root == "/proc" }

func newProcfs(root string) procfs {
	return procfs{root: root, line: make([]byte, maxStat), reads: newBoundedReads()}
}

func (p procfs) path(pid int, name string) string {
	return p.root + "/" + strconv.Itoa(pid) + "/" + name
}

// pids lists the processes in ascending order.
func (p procfs) pids() ([]int, error) {
	dir, err := os.Open(p.root)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, nil
}

// stat is what discovery needs of /proc/<pid>/stat; see proc_pid_stat(5) and
// do_task_stat in the kernel's fs/proc/array.c.
type stat struct {
	start   uint64 // field 22
	stack   uint64 // field 28; 0 without the right to trace the process
	kernel  bool   // a kernel thread
	exiting bool   // on its way out, or a zombie
}

// ticks turns nanoseconds since boot into field 22: the kernel's kernel/time/time.c,
// nsec_to_clock_t, with a USER_HZ of 100. Both have the clock of the host, unless the reader has a
// time namespace of its own. Then no start is that of an event.
func ticks(nanoseconds uint64) uint64 { return nanoseconds / 10_000_000 }

// Flags of a task, from the kernel's include/linux/sched.h.
const (
	pfExiting = 0x00000004
	pfKthread = 0x00200000
)

// maxStat bounds the text of one stat file: 52 numbers of at most 20 digits,
// and a name of at most 64 bytes.
const maxStat = 2048

func (p procfs) stat(pid int) (stat, error) {
	path := p.path(pid, "stat")
	n, err := readFile(path, p.line)
	if err != nil {
		return stat{}, explain(path, err, mayTrace)
	}
	s, err := parseStat(p.line[:n])
	if err != nil {
		return stat{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// parseStat reads the line of a stat file. The name of the program is its
// second field, in parentheses, and may hold spaces and parentheses itself:
// what counts is the last one that closes.
func parseStat(line []byte) (stat, error) {
	var s stat
	end := bytes.LastIndexByte(line, ')')
	if end < 0 {
		return s, errors.New("no program name in parentheses")
	}
	field := 3
	for word := range bytes.FieldsSeq(line[end+1:]) {
		var err error
		switch field {
		case 3:
			s.exiting = bytes.ContainsAny(word, "ZXx")
		case 9:
			var flags uint64
			flags, err = strconv.ParseUint(string(word), 10, 64)
			s.kernel = flags&pfKthread != 0
			s.exiting = s.exiting || flags&pfExiting != 0
		case 22:
			s.start, err = strconv.ParseUint(string(word), 10, 64)
		case 28:
			s.stack, err = strconv.ParseUint(string(word), 10, 64)
		}
		if err != nil {
			return s, fmt.Errorf("field %d: %w", field, err)
		}
		field++
	}
	if field <= 28 {
		return s, fmt.Errorf("ends before field %d", field)
	}
	return s, nil
}

// exe returns the path of the process's executable as the process's own mount
// namespace names it.
//
// That is what the link gives, whoever reads it. The kernel's d_path (fs/d_path.c)
// goes up from the file, from mount to mount, to the root of the reader or, if it
// does not come by that, to the root of the mount namespace that the file was
// opened in. Linux 6.18 shows these paths:
//
//	container (own mount namespace and pivot_root, or mount --move)  /app/server
//	own mount namespace, a tmpfs at /mnt that the reader lacks       /mnt/server
//	the same, and a chroot into /mnt                                 /mnt/server
//	chroot into /srv/root in the reader's mount namespace            /srv/root/server
//	a file that is bound over another name                           the other name
//	a mount that was detached (umount -l) while it ran               from that mount's root
//	a file that was renamed while it ran                             the new path
//	a file that was deleted while it ran                             the path + " (deleted)"
//
// So a chroot does not shorten a path: it is no mount namespace. The exception
// is a reader that lives in a chroot itself: what lies beneath its own root is
// named from there.
//
// The mark of a deleted file is taken off. (A file whose real name ends like
// that loses it too; the link does not tell them apart.)
func (p procfs) exe(pid int) (string, error) {
	path := p.path(pid, "exe")
	link, err := os.Readlink(path)
	if err != nil {
		return "", explain(path, err, mayTrace)
	}
	return strings.TrimSuffix(link, " (deleted)"), nil
}

// exeID identifies the executable, also one that was deleted or lies in another
// mount namespace: the link leads to the open file, not by its path.
func (p procfs) exeID(pid int) (model.ExeID, error) {
	path := p.path(pid, "exe")
	id, err := fileID(path)
	if err != nil {
		return id, explain(path, err, mayTrace)
	}
	return id, nil
}

// head returns the first bytes of a file of the process, at most limit, and
// whether there were more. It waits for a bounded time: errNoAnswer.
func (p procfs) head(pid int, name string, limit int) (data []byte, cut bool, err error) {
	path := p.path(pid, name)
	data, err = inTime(p.reads, func() ([]byte, error) { return head(path, limit+1) })
	if err != nil {
		return nil, false, explain(path, err, mayTraceAndRead)
	}
	if len(data) > limit {
		return data[:limit], true, nil
	}
	return data, false, nil
}

// vanished reports whether an error says that the process is not there
// anymore. Of a link it may also say that the process never had one: kernel
// threads and zombies have no executable.
func vanished(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) ||
		errors.Is(err, errExeced)
}

// The rights that a reader of another user's process needs. Links such as exe
// and ns/net ask for the right to trace it; files such as environ and fd belong
// to its user besides.
const (
	mayTrace        = "CAP_SYS_PTRACE or root"
	mayTraceAndRead = "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or root"
)

// explain makes an error that names the file and, where a right is missing,
// says which.
func explain(path string, err error, needs string) error {
	if inner := (*fs.PathError)(nil); errors.As(err, &inner) {
		err = inner.Err
	}
	if !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return fmt.Errorf(
		"%s: %w (needs %s; who has that is refused by a security module, or by the process itself)",
		path, err, needs,
	)
}
