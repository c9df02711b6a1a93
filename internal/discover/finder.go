// Package discover decides which processes are traced: it finds those that the
// configured entries select, notices when they exit or run another program,
// and says by what name their telemetry goes. It learns of all this from
// scans of /proc and from the kernel's events, which the engine hands to it.
package discover

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/spanprobe/spanprobe/internal/model"
)

// Config is what a Finder works by.
type Config struct {
	Targets []Target // a process is traced when it matches any of these ...
	Exclude []Target // ... and none of these
	// ProcRoot is where the host's proc file system is mounted; "" stands for
	// /proc.
	ProcRoot string
	// Self is the pid of the collector: it is traced only when a target entry
	// names it by pid. Zero: nobody is spared.
	Self int
}

// Changes is what one look at the system brought. It is to be applied in the
// order Gone, Appeared, Updated: a process that runs another program now is in
// Gone as what it was and in Appeared as what it has become.
type Changes struct {
	Gone     []model.Process
	Appeared []Match
	// Updated holds processes that appeared earlier and that another target
	// entry selects now: a server that was found by its exe, before it listened
	// on the port of an entry further up. They go on; their names may differ.
	Updated []Match
	// Errors are what could not be found out; each is reported once for each
	// process. A process that vanishes while it is looked at is no error.
	Errors []error
}

// Match is a process to be traced.
type Match struct {
	Process model.Process
	Target  int // index of the first entry of Config.Targets that matches
}

// Finder keeps what is known of each process. It is not safe for concurrent
// use.
type Finder struct {
	proc    procfs
	self    int
	targets []Target
	exclude []Target
	ports   []uint16        // of all entries
	known   map[int]*record // by pid; kernel threads are not in it
	round   uint64          // number of the latest scan
}

// New returns a Finder that knows no process yet.
func New(config Config) (*Finder, error) {
	if err := ValidateTargets(config.Targets, config.Exclude); err != nil {
		return nil, err
	}
	var ports []uint16
	for _, t := range slices.Concat(config.Targets, config.Exclude) {
		if t.Port != 0 {
			ports = append(ports, t.port())
		}
	}
	return &Finder{
		proc:    newProcfs(cmp.Or(config.ProcRoot, "/proc")),
		self:    config.Self,
		targets: slices.Clone(config.Targets),
		exclude: slices.Clone(config.Exclude),
		ports:   ports,
		known:   make(map[int]*record),
	}, nil
}

// Scan looks at all processes. It finds what no event told of: the processes
// that ran before, and whatever happened while events were lost.
func (f *Finder) Scan() Changes {
	look := f.newLook()
	pids, err := f.proc.pids()
	if err != nil {
		look.Errors = append(look.Errors, fmt.Errorf("list processes: %w", err))
		return look.Changes
	}
	f.round++
	for _, pid := range pids {
		f.visit(pid, look)
	}
	for pid, r := range f.known {
		if r.round != f.round {
			f.forget(pid, look)
		}
	}
	slices.SortFunc(look.Gone, func(a, b model.Process) int { return cmp.Compare(a.PID, b.PID) })
	return look.Changes
}

// Exec takes in that the process runs another program now.
func (f *Finder) Exec(pid int) Changes {
	look := f.newLook()
	look.quick = true
	f.forget(pid, look)
	f.visit(pid, look)
	return look.Changes
}

// Exit takes in that the last thread of the process has exited, which started so many nanoseconds
// after boot. The process need not have left /proc yet. Another process may have its id by now:
// that one is only looked at.
func (f *Finder) Exit(pid int, start uint64) Changes {
	look := f.newLook()
	look.quick = true
	switch r := f.known[pid]; {
	case r == nil:
	case r.program.start == ticks(start):
		f.forget(pid, look)
	default:
		f.visit(pid, look)
	}
	return look.Changes
}

// Listen takes in that the process listens on a TCP port now, which started so many nanoseconds
// after boot. Port 0 says that the port is not known. Then the sockets of the process are looked
// at, as they are if another process has its id by now.
func (f *Finder) Listen(pid int, start uint64, port uint16) Changes {
	look := f.newLook()
	look.pid, look.start, look.port = pid, ticks(start), port
	f.visit(pid, look)
	return look.Changes
}

// Check looks at one process again, whose exit may have gone untold.
func (f *Finder) Check(pid int) Changes {
	look := f.newLook()
	look.quick = true
	f.visit(pid, look)
	return look.Changes
}

// look is one look at the system: what it found, and what its visits share.
type look struct {
	Changes
	listeners *listeners
	// The process pid, which started at start, listens on port, by the word of the kernel. Port 0:
	// no such word.
	pid   int
	start uint64
	port  uint16
	// quick: a process that matches without its ports is not asked for them, nor is
	// one without sockets. A program that has just started listens on nothing but
	// what it inherited: a later look finds that.
	quick bool
}

func (f *Finder) newLook() *look { return &look{listeners: newListeners(f.proc, f.ports)} }

// visit brings what is known of one process up to date.
func (f *Finder) visit(pid int, look *look) {
	if !f.selectable(pid) {
		return
	}
	stat, err := f.proc.stat(pid)
	switch {
	case vanished(err) || err == nil && stat.exiting:
		f.forget(pid, look)
		return
	case err != nil:
		f.unreadable(pid, program{}, look, err)
		return
	case stat.kernel:
		return
	}
	exe, err := f.proc.exe(pid)
	switch {
	case vanished(err):
		f.forget(pid, look)
		return
	case err != nil:
		f.unreadable(pid, program{start: stat.start, stack: stat.stack}, look, err)
		return
	}
	now := program{start: stat.start, stack: stat.stack, exe: exe}
	r := f.known[pid]
	if r != nil && !f.stillRuns(pid, r, now) {
		f.forget(pid, look)
		r = nil
	}
	if r == nil {
		r = f.newRecord(pid, now)
		f.known[pid] = r
	}
	r.round = f.round
	f.learnPorts(pid, r, look)
	f.settle(pid, r, look)
}

// stillRuns reports whether the process still runs the program that r was made
// for. An exec whose event was lost shows in another start of the stack (it is
// random for each exec), and if address randomisation is off, in another file.
// Another path alone is no exec when the file is the same: a running
// executable may be renamed or deleted.
func (f *Finder) stillRuns(pid int, r *record, now program) bool {
	if r.program.start != now.start || r.program.stack != now.stack {
		return false
	}
	if r.match == unmatched {
		return r.program.exe == now.exe
	}
	id, err := f.proc.exeID(pid)
	if err != nil {
		// It vanishes or hides: the next look will tell.
		return r.program.exe == now.exe
	}
	// Not the other fields of the ID: renaming or deleting the file changes its
	// ctime.
	return id.Dev == r.process.ID.Dev && id.Ino == r.process.ID.Ino
}

// learnPorts adds to r the ports that it turns on and that the process listens
// on. They are never taken back: a server that closes its listener to drain
// its connections goes on being traced.
func (f *Finder) learnPorts(pid int, r *record, look *look) {
	if look.pid == pid && look.start == r.program.start && look.port != 0 {
		if slices.Contains(f.ports, look.port) {
			r.addPort(look.port)
		}
		return // the kernel tells of each port; what it told in vain a scan finds
	}
	open := f.openPorts(r)
	if len(open) == 0 || look.quick && f.verdict(r) != unmatched {
		return
	}
	if look.quick && look.listeners.haveNone(pid) {
		return
	}
	ports, err := look.listeners.of(pid, open)
	switch {
	case vanished(err):
	case err != nil:
		look.fail(r, err)
	}
	for _, port := range ports {
		r.addPort(port)
	}
}

// settle draws the verdict on a process and tells of it when it is another
// than before.
func (f *Finder) settle(pid int, r *record, look *look) {
	verdict := f.verdict(r)
	// An environment that could not be read in time is read again at each scan.
	again := r.unread && !look.quick
	if verdict == r.match && !again {
		return
	}
	if verdict == unmatched {
		look.Gone = append(look.Gone, r.process)
		r.match, r.process, r.unread = unmatched, model.Process{}, false
		return
	}
	process, warnings, err := f.describe(pid, r.program, f.targets[verdict])
	switch {
	case vanished(err):
		f.forget(pid, look)
		return
	case err != nil:
		look.fail(r, err)
		return
	}
	unread := slices.ContainsFunc(warnings, isUnanswered)
	for _, warning := range warnings {
		look.fail(r, warning)
	}
	if verdict == r.match && unread {
		return // nothing is new
	}
	r.unread = unread
	match := Match{Process: process, Target: verdict}
	if r.match == unmatched {
		look.Appeared = append(look.Appeared, match)
	} else {
		look.Updated = append(look.Updated, match)
	}
	r.match, r.process = verdict, process
}

// unreadable notes a process that is there and cannot be looked at. It is tried
// again at each scan; one that was matched before is kept, if not even its
// start says that it is another.
func (f *Finder) unreadable(pid int, now program, look *look, err error) {
	r := f.known[pid]
	if r != nil && now.start != 0 && now.start != r.program.start {
		f.forget(pid, look)
		r = nil
	}
	if r == nil {
		r = &record{program: now, match: unmatched}
		f.known[pid] = r
	}
	r.round = f.round
	look.fail(r, err)
}

// forget drops what is known of a process.
func (f *Finder) forget(pid int, look *look) {
	r := f.known[pid]
	if r == nil {
		return
	}
	delete(f.known, pid)
	if r.match != unmatched {
		look.Gone = append(look.Gone, r.process)
	}
}

// fail reports err, unless the same was reported of this process before.
func (look *look) fail(r *record, err error) {
	text := err.Error()
	if slices.Contains(r.reported, text) {
		return
	}
	r.reported = append(r.reported, text)
	look.Errors = append(look.Errors, err)
}
