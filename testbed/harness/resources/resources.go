// Package resources tells of the BPF maps that this process has open, in which the engine under
// test is too.
package resources

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/cilium/ebpf"
)

// ofMap is in /proc/self/fdinfo for a BPF map: bpf_map_show_fdinfo in the kernel's
// kernel/bpf/syscall.c.
var ofMap = regexp.MustCompile(`(?m)^memlock:\t(\d+)\nmap_id:\t(\d+)$`)

// Maps are the BPF maps that this process has open: their ids, and their size
// in bytes.
func Maps() (map[ebpf.MapID]int64, error) {
	maps := map[ebpf.MapID]int64{}
	files, err := filepath.Glob("/proc/self/fdinfo/*")
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
		found := ofMap.FindSubmatch(text)
		if found == nil {
			continue // something else
		}
		id, err := strconv.ParseUint(string(found[2]), 10, 32)
		if err != nil {
			return nil, err
		}
		if maps[ebpf.MapID(id)], err = strconv.ParseInt(string(found[1]), 10, 64); err != nil {
			return nil, err
		}
	}
	return maps, nil
}

// Entries are those of a hash map; a map of another type is told to have none.
func Entries(id ebpf.MapID) (name string, entries int, err error) {
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
		entries++
	}
	return info.Name, entries, all.Err()
}
