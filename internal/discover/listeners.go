package discover

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// listeners answers which TCP ports a process listens on. It asks for the sockets
// of each network namespace once: it serves one look at the system.
type listeners struct {
	proc   procfs
	ports  []uint16                     // what is asked for; no other port is remembered
	spaces map[string]map[uint64]uint16 // link of the namespace -> inode of the socket -> port
}

func newListeners(proc procfs, ports []uint16) *listeners {
	return &listeners{proc: proc, ports: ports, spaces: make(map[string]map[uint64]uint16)}
}

// of returns those of the wanted ports, which are among l.ports, that the
// process listens on in its own network namespace.
func (l *listeners) of(pid int, wanted []uint16) ([]uint16, error) {
	sockets, err := l.space(pid)
	if err != nil {
		return nil, err
	}
	if !anyWanted(sockets, wanted) {
		return nil, nil
	}
	path := l.proc.path(pid, "fd")
	dir, err := os.Open(path)
	if err != nil {
		return nil, explain(path, err, mayTraceAndRead)
	}
	defer dir.Close()
	var found []uint16
	for {
		names, err := dir.Readdirnames(256)
		for _, name := range names {
			inode, ok := socketInode(path + "/" + name)
			if !ok {
				continue
			}
			if port, ok := sockets[inode]; ok && slices.Contains(wanted, port) &&
				!slices.Contains(found, port) {
				found = append(found, port)
			}
		}
		switch {
		case len(found) == len(wanted) || errors.Is(err, io.EOF):
			return found, nil
		case err != nil:
			return found, explain(path, err, mayTraceAndRead)
		}
	}
}

func anyWanted(sockets map[uint64]uint16, wanted []uint16) bool {
	for _, port := range sockets {
		if slices.Contains(wanted, port) {
			return true
		}
	}
	return false
}

// space returns those sockets of the process's network namespace that listen on
// one of l.ports.
func (l *listeners) space(pid int) (map[uint64]uint16, error) {
	path := l.proc.path(pid, "ns/net")
	name, err := os.Readlink(path)
	if err != nil {
		return nil, explain(path, err, mayTrace)
	}
	if sockets, ok := l.spaces[name]; ok {
		return sockets, nil
	}
	sockets := make(map[uint64]uint16)
	if l.proc.real() && l.dump(path, name, sockets) == nil {
		l.spaces[name] = sockets
		return sockets, nil
	}
	// The kernel lacks sock_diag, or the collector may not enter the namespace.
	clear(sockets)
	// A kernel without IPv6 has no tcp6. It is read first, so that its absence
	// is not the process's: that shows with tcp.
	for _, table := range []string{"net/tcp6", "net/tcp"} {
		err := l.readTable(pid, table, sockets)
		if table == "net/tcp6" && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	l.spaces[name] = sockets
	return sockets, nil
}

// dump asks the kernel for the sockets of a namespace, whose link is at path and has a name.
func (l *listeners) dump(path, name string, sockets map[uint64]uint16) error {
	wanted := func(port uint16) bool { return slices.Contains(l.ports, port) }
	own, err := ownNamespace()
	if err == nil && own == name {
		return dumpListeners(nil, wanted, sockets)
	}
	namespace, err := os.Open(path)
	if err != nil {
		return err
	}
	defer namespace.Close()
	return dumpListeners(namespace, wanted, sockets)
}

// maxFirstLook bounds the descriptors at which haveNone looks.
const maxFirstLook = 64

// haveNone reports whether a process certainly has no socket. Hardly any program has
// one where it begins.
func (l *listeners) haveNone(pid int) bool {
	path := l.proc.path(pid, "fd")
	dir, err := os.Open(path)
	if err != nil {
		return false
	}
	defer dir.Close()
	names, err := dir.Readdirnames(maxFirstLook + 1)
	if err != nil && !errors.Is(err, io.EOF) || len(names) > maxFirstLook {
		return false
	}
	return !slices.ContainsFunc(names, func(name string) bool {
		_, ok := socketInode(path + "/" + name)
		return ok
	})
}

func (l *listeners) readTable(pid int, name string, sockets map[uint64]uint16) error {
	path := l.proc.path(pid, name)
	file, err := os.Open(path)
	if err != nil {
		return explain(path, err, mayTrace)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Scan() // the heading
	for lines.Scan() {
		socket, err := parseSocket(lines.Bytes())
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if !socket.listens {
			// The kernel prints the listening sockets first, then all others
			// (tcp_get_idx in net/ipv4/tcp_ipv4.c): there may be a hundred
			// thousand of those.
			break
		}
		if slices.Contains(l.ports, socket.port) {
			sockets[socket.inode] = socket.port
		}
	}
	if err := lines.Err(); err != nil {
		return explain(path, err, mayTrace)
	}
	return nil
}

// socket is one line of a table of TCP sockets.
type socket struct {
	listens bool
	port    uint16
	inode   uint64
}

// tcpListen is the state of a listening socket: TCP_LISTEN of the kernel's
// include/net/tcp_states.h, as the tables print it.
const tcpListen = "0A"

// parseSocket reads a line of /proc/<pid>/net/tcp or tcp6: its fields are
// number, local address, remote address, state, queues, timer, retransmits,
// uid, timeout, inode (get_tcp4_sock in net/ipv4/tcp_ipv4.c).
func parseSocket(line []byte) (socket, error) {
	fields := bytes.Fields(line)
	if len(fields) < 10 {
		return socket{}, fmt.Errorf("%d fields in %q", len(fields), line)
	}
	if string(fields[3]) != tcpListen {
		return socket{}, nil
	}
	local := fields[1]
	port, err := strconv.ParseUint(string(local[bytes.LastIndexByte(local, ':')+1:]), 16, 16)
	if err != nil {
		return socket{}, fmt.Errorf("local address: %w", err)
	}
	inode, err := strconv.ParseUint(string(fields[9]), 10, 64)
	if err != nil {
		return socket{}, fmt.Errorf("inode: %w", err)
	}
	return socket{listens: true, port: uint16(port), inode: inode}, nil
}

// socketInode returns the inode of the socket that a file descriptor stands
// for. A descriptor that is none, or that was closed meanwhile, is no socket.
func socketInode(path string) (uint64, bool) {
	link, err := os.Readlink(path)
	if err != nil {
		return 0, false
	}
	number, ok := strings.CutPrefix(link, "socket:[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
	return inode, err == nil
}
