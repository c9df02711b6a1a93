// Package resources tells what this process uses, in what the engine under test is too: memory, and
// BPF maps.
package resources

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
)

var errNoField = errors.New("no such field")

// Field reads a number out of a file of /proc.
func Field(path, name string) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if words := strings.Fields(lines.Text()); len(words) > 1 && words[0] == name {
			return strconv.ParseInt(words[1], 10, 64)
		}
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("%s: %s: %w", path, name, errNoField)
}

// Maps are the BPF maps that this process has open: their ids, and their size
// in bytes.
func Maps() (map[ebpf.MapID]int64, error) {
	maps := map[ebpf.MapID]int64{}
	files, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		id, err := Field(file, "map_id:")
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, errNoField) {
			continue // closed by now, or something else
		}
		if err != nil {
			return nil, err
		}
		if maps[ebpf.MapID(id)], err = Field(file, "memlock:"); err != nil {
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
