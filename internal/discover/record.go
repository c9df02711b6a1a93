package discover

import (
	"slices"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/spanprobe/spanprobe/internal/model"
)

// program tells one run of a program from all others on this host.
type program struct {
	start uint64 // of the process, clock ticks since boot
	stack uint64 // address of the bottom of the stack; 0 when it may not be seen
	exe   string // path of the executable, without a mark that it was deleted
}

// record is what is known of a process.
type record struct {
	program program
	// targets and exclude are the indexes of the entries whose pid and exe keys
	// match, so that only the port decides. They hold nothing more once no port
	// can change the verdict.
	targets []int
	exclude []int
	ports   []uint16 // those of the entries' ports that it has listened on

	match    int // index of the target entry that it appeared by, or unmatched
	process  model.Process
	unread   bool     // its environment could not be read in time
	reported []string // the errors that were reported of it
	round    uint64   // the scan that saw it last
}

// unmatched stands for the index of an entry where there is none.
const unmatched = -1

// selectable reports whether any target entry may select this pid, so that a
// configuration that names pids does not look at all other processes.
func (f *Finder) selectable(pid int) bool {
	return slices.ContainsFunc(f.targets, func(t Target) bool { return f.selects(t, pid) })
}

// selects reports whether the pid key of a target entry lets the process
// through.
func (f *Finder) selects(t Target, pid int) bool {
	if t.PID == 0 {
		return pid != f.self
	}
	return t.PID == pid
}

// newRecord weighs all of the entries' keys but the port.
func (f *Finder) newRecord(pid int, now program) *record {
	r := &record{program: now, match: unmatched}
	for i, t := range f.targets {
		if !f.selects(t, pid) || !t.matchesExe(now.exe) {
			continue
		}
		r.targets = append(r.targets, i)
		if t.Port == 0 {
			break // it matches for good: no later entry can be the first one
		}
	}
	if len(r.targets) == 0 {
		return r
	}
	for i, t := range f.exclude {
		if t.PID != 0 && t.PID != pid || !t.matchesExe(now.exe) {
			continue
		}
		if t.Port == 0 {
			r.targets, r.exclude = nil, nil
			return r
		}
		r.exclude = append(r.exclude, i)
	}
	return r
}

// verdict returns the index of the first target entry that matches, or
// unmatched.
func (f *Finder) verdict(r *record) int {
	for _, i := range r.exclude {
		if slices.Contains(r.ports, f.exclude[i].port()) {
			return unmatched
		}
	}
	for _, i := range r.targets {
		if port := f.targets[i].port(); port == 0 || slices.Contains(r.ports, port) {
			return i
		}
	}
	return unmatched
}

// openPorts returns the ports that would change the verdict on a process if it
// listened on them.
func (f *Finder) openPorts(r *record) []uint16 {
	var open []uint16
	add := func(port uint16) {
		if port != 0 && !slices.Contains(open, port) {
			open = append(open, port)
		}
	}
	for _, i := range r.exclude {
		port := f.exclude[i].port()
		if slices.Contains(r.ports, port) {
			return nil // excluded for good
		}
		add(port)
	}
	for _, i := range r.targets {
		port := f.targets[i].port()
		if slices.Contains(r.ports, port) {
			break
		}
		add(port)
	}
	return open
}

// ByFile reports whether the path of an executable alone makes a process a
// target, whatever its pid and its ports are.
func (f *Finder) ByFile(exe string) bool {
	if slices.ContainsFunc(f.exclude, func(t Target) bool { return t.matchesExe(exe) }) {
		return false
	}
	return slices.ContainsFunc(f.targets, func(t Target) bool {
		return t.Port == 0 && t.PID == 0 && t.matchesExe(exe)
	})
}

// Rejects reports whether the process that started so many nanoseconds after boot is there and is
// no target.
func (f *Finder) Rejects(pid int, start uint64) bool {
	r := f.known[pid]
	return r != nil && r.match == unmatched && r.program.start == ticks(start)
}

// matchesExe reports whether the exe key lets a path through. The pattern was
// validated.
func (t Target) matchesExe(path string) bool {
	return t.Exe == "" || doublestar.MatchUnvalidated(t.Exe, path)
}

// port is the key's value, which was validated; 0: the entry has none.
func (t Target) port() uint16 { return uint16(t.Port) }

func (r *record) addPort(port uint16) {
	if !slices.Contains(r.ports, port) {
		r.ports = append(r.ports, port)
	}
}
