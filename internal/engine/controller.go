//go:build linux && (amd64 || arm64)

package engine

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/internal/attach"
	"github.com/spanprobe/spanprobe/internal/discover"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/traces"
	"github.com/spanprobe/spanprobe/internal/wire"
)

const (
	// housekeepingInterval is how often leases, ended operations and losses are
	// looked at.
	housekeepingInterval = time.Second
	// preparers is how many binaries are inspected and attached at a time.
	preparers = 2
)

// controller decides what is traced: it hears of processes, and attaches and
// detaches their binaries. All of its state belongs to the goroutine of run.
type controller struct {
	config   Config
	settings Settings
	kernel   *attach.Kernel
	finder   *discover.Finder
	registry *registry
	counts   *counts
	host     string

	events   chan wire.Event
	demands  chan demand
	prepared chan prepared
	detached chan *traced
	slots    chan struct{} // one for each preparer
	done     chan struct{} // closed when every probe is out

	binaries  map[model.ExeID]*traced
	processes map[int]*running
	leftAlone map[model.ExeID]bool // that contain OpenTelemetry's SDK; they are inspected once
	indexes   indexes
	forgotten map[program]time.Time // whose operations were not swept yet
	stop      <-chan struct{}
	stopping  bool // nothing new is prepared

	losses  *lossLog
	health  *health
	entries *entryCheck
}

// running is a process that is a target.
type running struct {
	process model.Process
	target  int
	binary  *traced
	program program // zero until it is traced
}

func newController(config Config, settings Settings, kernel *attach.Kernel, finder *discover.Finder, registry *registry, counts *counts, stats func() (Stats, error)) *controller {
	host, err := os.Hostname()
	if err != nil {
		settings.Logger.Warn("The host's name is not known; resources come without host.name", zap.Error(err))
	}
	return &controller{
		config: config, settings: settings, kernel: kernel, finder: finder,
		registry: registry, counts: counts, host: host,
		events:    make(chan wire.Event, 256),
		demands:   make(chan demand, 16),
		prepared:  make(chan prepared),
		detached:  make(chan *traced),
		slots:     make(chan struct{}, preparers),
		done:      make(chan struct{}),
		binaries:  map[model.ExeID]*traced{},
		processes: map[int]*running{},
		leftAlone: map[model.ExeID]bool{},
		forgotten: map[program]time.Time{},
		losses:    newLossLog(settings, stats),
		health:    &health{status: settings.Status},
		entries:   newEntryCheck(config, settings),
	}
}

// event takes one record of the ring buffer of events. It is called from the
// goroutine that reads it.
func (c *controller) event(record []byte, stop <-chan struct{}) {
	event, err := wire.ParseEvent(record)
	if err != nil {
		c.settings.Logger.Error("An event cannot be read", zap.Error(err))
		return
	}
	select {
	case c.events <- event:
	case <-stop:
	}
}

// run works until stop is closed, and then takes every probe out.
func (c *controller) run(stop <-chan struct{}) {
	defer close(c.done)
	c.stop = stop
	leases := make(chan os.Signal, 1)
	signal.Notify(leases, syscall.SIGIO) // a writer waits for one of our read leases
	defer signal.Stop(leases)
	scan := time.NewTicker(scanInterval)
	defer scan.Stop()
	housekeeping := time.NewTicker(housekeepingInterval)
	defer housekeeping.Stop()
	goroutines := time.NewTicker(goroutineInterval)
	defer goroutines.Stop()

	c.apply(c.finder.Scan())
	for {
		select {
		case <-stop:
			c.detachAll()
			return
		case event := <-c.events:
			c.heed(event)
		case p := <-c.prepared:
			c.finishPreparing(p)
		case t := <-c.detached:
			c.finishDetaching(t)
		case d := <-c.demands:
			c.answer(d)
		case <-leases:
			c.yieldLeases()
		case <-scan.C:
			c.apply(c.finder.Scan())
			c.entries.report()
		case <-goroutines.C:
			c.sweepGoroutines()
		case <-housekeeping.C:
			c.dropUnused()
			c.yieldLeases()
			c.sweepEnded()
			c.registry.expire(time.Now())
			c.losses.look(time.Now())
			c.reportHealth()
		}
		c.counts.gauges(c.tracedProcesses(), c.attachedBinaries())
	}
}

// heed acts on what the kernel told.
func (c *controller) heed(event wire.Event) {
	pid := int(event.Tgid)
	switch event.Kind {
	case wire.EventExec:
		// Exec empties the kernel's entry: one that is still there was made
		// after it, by a scan that was faster than the event.
		if r := c.processes[pid]; r != nil && r.program != (program{}) && c.kernel.Traces(pid, r.program.generation) {
			return
		}
		c.apply(c.finder.Exec(pid))
		if event.Generation == 0 {
			return
		}
		// The kernel took it for a target since its file was one's. If it is
		// none, or is gone already, that is taken back.
		if r := c.processes[pid]; r == nil || r.program.generation != event.Generation {
			c.revoke(program{event.Tgid, event.Generation})
		}
	case wire.EventExit:
		c.apply(c.finder.Exit(pid))
	case wire.EventListen:
		c.apply(c.finder.Listen(pid, uint16(event.Port)))
	}
}

func (c *controller) revoke(p program) {
	c.forget(p)
	// One that vanished before it could be looked at leaves records of an
	// unknown process.
	if c.finder.Rejects(int(p.pid)) {
		c.registry.reject(p, time.Now())
	}
}

// forget has the kernel take a process for none that is traced.
func (c *controller) forget(p program) {
	if err := c.kernel.Forget(int(p.pid), p.generation); err != nil {
		c.settings.Logger.Error("A process stays in the table of those that are traced", zap.Uint32("pid", p.pid), zap.Error(err))
	}
	c.forgotten[p] = time.Now()
}

// apply follows what discovery found.
func (c *controller) apply(changes discover.Changes) {
	for _, err := range changes.Errors {
		c.settings.Logger.Info("A process cannot be looked at, and is not traced", zap.Error(err))
	}
	for _, p := range changes.Gone {
		c.gone(p)
	}
	for _, match := range changes.Appeared {
		c.appeared(match)
	}
	for _, match := range changes.Updated {
		c.entries.match(match.Target)
		if r := c.processes[match.Process.PID]; r != nil {
			r.process, r.target = match.Process, match.Target
			if r.program != (program{}) {
				c.registry.put(r.program, c.resource(r))
			}
			c.adopt(r.binary)
		}
	}
	c.reportHealth()
}

func (c *controller) appeared(match discover.Match) {
	c.entries.match(match.Target)
	r := &running{process: match.Process, target: match.Target}
	c.processes[match.Process.PID] = r
	t := c.binaries[match.Process.ID]
	if t == nil {
		t = &traced{id: match.Process.ID, exe: match.Process.Exe, processes: map[int]*running{}}
		c.binaries[t.id] = t
	}
	r.binary = t
	t.processes[match.Process.PID] = r
	switch t.state {
	case stateNew:
		c.prepare(t)
	case stateAttached:
		c.trace(r)
		c.adopt(t)
	}
}

func (c *controller) gone(p model.Process) {
	r := c.processes[p.PID]
	if r == nil {
		return
	}
	delete(c.processes, p.PID)
	delete(r.binary.processes, p.PID)
	if r.program != (program{}) {
		c.forget(r.program)
		c.registry.end(r.program, time.Now())
		c.settings.Logger.Info("A target has ended", zap.Int("pid", p.PID), zap.String("exe", p.Exe))
	}
	c.dropIfUnused(r.binary)
}

// trace begins to trace a process of an attached binary.
func (c *controller) trace(r *running) {
	entry, err := c.kernel.Trace(r.process.PID, wire.Process{Generation: newGeneration(), Binary: r.binary.index})
	if err != nil {
		c.settings.Logger.Error("A target cannot be traced", zap.Int("pid", r.process.PID), zap.String("exe", r.process.Exe), zap.Error(err))
		return
	}
	r.program = program{uint32(r.process.PID), entry.Generation}
	c.registry.put(r.program, c.resource(r))
	c.settings.Logger.Info("Tracing a target", zap.Int("pid", r.process.PID), zap.String("exe", r.process.Exe),
		zap.String("service_name", r.process.ServiceName), zap.String("go_version", r.binary.goVersion))
	// The kernel tells of the exit of traced processes only: this one may have
	// ended while its file was prepared.
	c.apply(c.finder.Check(r.process.PID))
}

func (c *controller) resource(r *running) traces.Resource {
	return traces.NewResource(&r.process, r.binary.goVersion, c.host, c.settings.Version)
}

func (c *controller) tracedProcesses() int {
	n := 0
	for _, r := range c.processes {
		if r.program != (program{}) {
			n++
		}
	}
	return n
}

// newGeneration is what new_generation of bpf/include/process.h is in the kernel.
func newGeneration() uint32 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		panic(err) // the clock exists on every kernel that passed the checks
	}
	return wire.Generation(now.Nano())
}
