// Package resources tells of the BPF maps and programs that a process has open, such as this one,
// in which the engine under test is too.
package resources

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/cilium/ebpf"
)

// Object is what a BPF map or program is known by.
type Object struct {
	Program bool // else a map
	ID      uint32
}

// Objects are the BPF maps and programs that a process has open, with their sizes in bytes.
func Objects(pid int) (map[Object]int64, error) {
	objects := map[Object]int64{}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue // closed by now
		} else if err != nil {
			return nil, err
		}
		if object, memory, ok := parse(string(text)); ok {
			objects[object] = memory
		}
	}
	return objects, nil
}

// described is in a file of fdinfo: bpf_map_show_fdinfo and bpf_prog_show_fdinfo in the kernel's
// kernel/bpf/syscall.c. Links, which name the program that they run, have no memlock.
var described = regexp.MustCompile(`(?m)^memlock:\t(\d+)\n(map|prog)_id:\t(\d+)$`)

func parse(text string) (object Object, memory int64, ok bool) {
	found := described.FindStringSubmatch(text)
	if found == nil {
		return object, 0, false
	}
	memory, err := strconv.ParseInt(found[1], 10, 64)
	id, idErr := strconv.ParseUint(found[3], 10, 32)
	return Object{found[2] == "prog", uint32(id)}, memory, err == nil && idErr == nil
}

// Maps are the BPF maps that this process has open: their ids, and their size in bytes.
func Maps() (map[ebpf.MapID]int64, error) {
	maps := map[ebpf.MapID]int64{}
	objects, err := Objects(os.Getpid())
	for object, memory := range objects {
		if !object.Program {
			maps[ebpf.MapID(object.ID)] = memory
		}
	}
	return maps, err
}

// Entries are those of a hash map; a map of another type is told to have none. Those of some
// processes do not count, if keys begin with a process id.
func Entries(id ebpf.MapID, except ...int) (name string, entries int, err error) {
	m, err := ebpf.NewMapFromID(id)
	if err != nil {
		return "", 0, err
	}
	defer m.Close()
	info, err := m.Info()
	if err != nil {
		return "", 0, err
	}
	if info.Type != ebpf.Hash && info.Type != ebpf.LRUHash {
		return info.Name, 0, nil
	}
	var key, value []byte
	all := m.Iterate()
	for all.Next(&key, &value) {
		if except == nil || !slices.Contains(except, int(binary.NativeEndian.Uint32(key))) {
			entries++
		}
	}
	return info.Name, entries, all.Err()
}
