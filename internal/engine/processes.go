//go:build linux && (amd64 || arm64)

package engine

import (
	"iter"
	"maps"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/internal/discover"
	"github.com/spanprobe/spanprobe/internal/traces"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// processes is the book of the processes that are targets, and has the kernel trace them. It
// belongs to the controller's goroutine; the registry, to which it reports, does not.
type processes struct {
	kernel   kernel
	registry *registry
	rechecks *rechecks
	counts   *counts
	logger   *zap.Logger
	version  string // of spanprobe
	host     string // "" if it is not known

	byPID        map[int]*process
	byExecutable map[*executable]map[int]*process // the same ones
}

func newProcesses(
	settings Settings, kernel kernel, registry *registry, rechecks *rechecks, counts *counts,
) *processes {
	host, err := os.Hostname()
	if err != nil {
		settings.Logger.Warn("The host's name is not known; resources come without host.name",
			zap.Error(err))
	}
	return &processes{
		kernel: kernel, registry: registry, rechecks: rechecks, counts: counts,
		logger: settings.Logger, version: settings.Version, host: host,
		byPID:        map[int]*process{},
		byExecutable: map[*executable]map[int]*process{},
	}
}

// appear enters a process that has become a target. It waits for the probes of its executable.
func (b *processes) appear(match discover.Match, x *executable) {
	p := &process{Process: match.Process, entry: match.Target, executable: x}
	b.byPID[p.PID] = p
	if b.byExecutable[x] == nil {
		b.byExecutable[x] = map[int]*process{}
	}
	b.byExecutable[x][p.PID] = p
}

// update takes in that another entry selects a process, by which its name may change. The result
// is nil if the process is in no book.
func (b *processes) update(match discover.Match) *process {
	p := b.byPID[match.Process.PID]
	if p == nil {
		return nil
	}
	p.Process, p.entry = match.Process, match.Target
	if p.traced() {
		b.registry.put(p.key, b.resource(p))
		b.counts.know(p.ServiceName)
	}
	return p
}

// trace has the kernel trace a process, whose executable is attached.
func (b *processes) trace(p *process) {
	there, err := b.kernel.Trace(p.PID, wire.Process{
		Generation: wire.Generation(sinceBoot()), Binary: p.executable.index,
	})
	if err != nil {
		p.state = processRefused
		b.logger.Error("A target cannot be traced",
			zap.Int("pid", p.PID), zap.String("exe", p.Exe), zap.Error(err))
		return
	}
	p.state, p.key = processTraced, processKey{uint32(p.PID), there.Generation}
	b.registry.put(p.key, b.resource(p))
	b.counts.know(p.ServiceName)
	b.logger.Info("Tracing a target", zap.Int("pid", p.PID), zap.String("exe", p.Exe),
		zap.String("service_name", p.ServiceName),
		zap.String("go_version", p.executable.goVersion))
	// The kernel reports the exit of traced processes only: this one may have ended while its file
	// was prepared.
	b.rechecks.add(recheck{pid: p.PID})
}

// traceWaiting has the kernel trace the processes that wait for the probes of an executable.
func (b *processes) traceWaiting(x *executable) {
	for p := range b.of(x) {
		if p.state == processWaiting {
			b.trace(p)
		}
	}
}

// suspend ends the tracing of an executable's processes, whose probes are to be taken out. They
// wait for probes again.
func (b *processes) suspend(x *executable) {
	for p := range b.of(x) {
		if p.traced() {
			b.forget(p.key)
		}
		p.state, p.key = processWaiting, processKey{}
	}
}

// end takes in that a process has ended, or runs another program now. The result is nil if the
// process is in no book.
func (b *processes) end(pid int) *process {
	p := b.byPID[pid]
	if p == nil {
		return nil
	}
	delete(b.byPID, pid)
	delete(b.byExecutable[p.executable], pid)
	if len(b.byExecutable[p.executable]) == 0 {
		delete(b.byExecutable, p.executable)
	}
	if p.traced() {
		b.forget(p.key)
		b.logger.Info("A target has ended", zap.Int("pid", pid), zap.String("exe", p.Exe))
	}
	return p
}

// revoke takes back that the kernel took a process for a target. The records of a process that is
// there, and that no entry selects, are known for that: rejected says so. A process that vanished
// before discovery could look at it leaves records of an unknown process.
func (b *processes) revoke(key processKey, rejected bool) {
	b.forget(key)
	if rejected {
		b.registry.reject(key, time.Now())
	}
}

// forget has the kernel take a process for none that is traced.
func (b *processes) forget(key processKey) {
	if err := b.kernel.Forget(int(key.pid), key.generation); err != nil {
		b.logger.Error("A process stays in the table of those that are traced",
			zap.Uint32("pid", key.pid), zap.Error(err))
	}
	b.registry.end(key, time.Now())
}

// confirmed tells whether the kernel traces a process by the key that the book has.
func (b *processes) confirmed(pid int) bool {
	p := b.byPID[pid]
	return p != nil && p.traced() && b.kernel.Traces(pid, p.key.generation)
}

// tracedBy gives the process that is traced by a key, or nil.
func (b *processes) tracedBy(key processKey) *process {
	p := b.byPID[int(key.pid)]
	if p == nil || !p.traced() || p.key != key {
		return nil
	}
	return p
}

// of gives the processes of an executable.
func (b *processes) of(x *executable) iter.Seq[*process] {
	return maps.Values(b.byExecutable[x])
}

// use tells whether a process runs an executable.
func (b *processes) use(x *executable) bool { return len(b.byExecutable[x]) > 0 }

// traced counts the processes that are traced.
func (b *processes) traced() int {
	n := 0
	for _, p := range b.byPID {
		if p.traced() {
			n++
		}
	}
	return n
}

func (b *processes) resource(p *process) traces.Resource {
	return traces.NewResource(&p.Process, p.executable.goVersion, b.host, b.version)
}
