//go:build linux && (amd64 || arm64)

package engine

import (
	"time"

	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/internal/discover"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// housekeepingInterval is how often idle files, ended operations and losses are looked at.
const housekeepingInterval = time.Second

// finder tells which processes are targets: *discover.Finder, or that of a test.
type finder interface {
	Scan() discover.Changes
	Exec(pid int) discover.Changes
	Exit(pid int, start uint64) discover.Changes
	Listen(pid int, start uint64, port uint16) discover.Changes
	Check(pid int) discover.Changes
	ByFile(path string) bool
	Rejects(pid int, start uint64) bool
}

// controller decides what is traced: it hears of processes, and has their executables attached and
// detached. It is a loop, whose goroutine owns all of the parts below.
type controller struct {
	logger      *zap.Logger
	finder      finder
	registry    *registry
	processes   *processes
	executables *executables
	guard       *guard
	rechecks    *rechecks
	sweeper     *sweeper
	book        *lossBook
	losses      *lossLog
	entries     *entryCheck
	health      *health
	counts      *counts

	events  chan wire.Event
	missing chan missingHooks
	done    chan struct{} // closed when every probe is out
}

func newController(
	config Config, settings Settings, kernel kernel, finder finder, registry *registry,
	counts *counts, stats func() (Stats, error),
) *controller {
	rechecks, guard := &rechecks{}, newGuard(settings.Logger)
	processes := newProcesses(settings, kernel, registry, rechecks, counts)
	book := newLossBook(kernel, registry, counts)
	executables := newExecutables(
		config, settings, kernel, finder, processes, rechecks, guard, counts,
	)
	return &controller{
		logger: settings.Logger, finder: finder, registry: registry,
		processes:   processes,
		executables: executables,
		guard:       guard,
		rechecks:    rechecks,
		sweeper:     newSweeper(settings, kernel, processes, book),
		book:        book,
		losses:      newLossLog(settings, stats),
		entries:     newEntryCheck(config, settings),
		health:      &health{status: settings.Status},
		counts:      counts,
		events:      make(chan wire.Event, 256),
		missing:     make(chan missingHooks, 16),
		done:        make(chan struct{}),
	}
}

// event takes one record of the ring buffer of events. It is called from the
// goroutine that reads it.
func (c *controller) event(record []byte, stop <-chan struct{}) {
	event, err := wire.ParseEvent(record)
	if err != nil {
		c.logger.Error("An event cannot be read", zap.Error(err))
		return
	}
	select {
	case c.events <- event:
	case <-stop:
	}
}

// requestHooks notes that hooks on demand are missed. It is called from the goroutine that reads
// spans, which does not wait: it asks again.
func (c *controller) requestHooks(hooks missingHooks) {
	select {
	case c.missing <- hooks:
	default:
	}
}

// run works until stop is closed, and then takes every probe out.
func (c *controller) run(stop <-chan struct{}) {
	defer close(c.done)
	c.executables.preparer.stop, c.sweeper.stop = stop, stop
	defer c.guard.start()()
	scan := time.NewTicker(scanInterval)
	defer scan.Stop()
	housekeeping := time.NewTicker(housekeepingInterval)
	defer housekeeping.Stop()
	goroutines := time.NewTicker(goroutineInterval)
	defer goroutines.Stop()

	c.follow(c.finder.Scan())
	for {
		select {
		case <-stop:
			c.stop()
			return
		case event := <-c.events:
			c.handle(event)
		case p := <-c.executables.preparer.prepared:
			c.prepared(p)
		case x := <-c.executables.detached:
			c.executables.removed(x)
		case hooks := <-c.missing:
			c.executables.attachMissing(hooks)
		case <-c.guard.yielded:
			c.executables.yieldToWriters()
		case <-scan.C:
			c.follow(c.finder.Scan())
			c.entries.look()
		case entry := <-c.entries.unmatched:
			c.entries.report(entry)
		case <-goroutines.C:
			c.sweeper.lookAtGoroutines()
		case found := <-c.sweeper.looked:
			c.sweeper.sweepGoroutines(found)
		case <-housekeeping.C:
			c.keepHouse(time.Now())
		}
		c.counts.gauges(c.processes.traced(), c.executables.attached())
	}
}

// handle acts on an event of the kernel's.
func (c *controller) handle(event wire.Event) {
	pid := int(event.Tgid)
	switch event.Kind {
	case wire.EventExec:
		c.handleExec(pid, event)
	case wire.EventExit:
		c.follow(c.finder.Exit(pid, event.Start))
	case wire.EventListen:
		c.follow(c.finder.Listen(pid, event.Start, uint16(event.Port)))
	}
}

// handleExec acts on an exec. The event has the generation 0 if the kernel does not trace the
// process: it does where the file was adopted.
func (c *controller) handleExec(pid int, event wire.Event) {
	// Exec empties the kernel's entry: one that is still there was made after exec, by a scan that
	// was faster than the event.
	if !c.processes.confirmed(pid) {
		c.follow(c.finder.Exec(pid))
	}
	// The kernel took the process for a target since its file was one's. If it is none, or is gone
	// already, that is taken back.
	key := processKey{event.Tgid, event.Generation}
	if key.generation != 0 && c.processes.tracedBy(key) == nil {
		c.processes.revoke(key, c.finder.Rejects(pid, event.Start))
	}
}

// follow acts on what discovery has found, and on what the re-checks find that this leads to.
func (c *controller) follow(changes discover.Changes) {
	c.apply(changes)
	c.recheck()
}

// recheck looks at processes again until the queue is empty. It is never called by what it calls.
func (c *controller) recheck() {
	for due, ok := c.rechecks.next(); ok; due, ok = c.rechecks.next() {
		if due.anew {
			c.apply(c.finder.Exec(due.pid))
		} else {
			c.apply(c.finder.Check(due.pid))
		}
	}
}

// apply enters what discovery has found into the books.
func (c *controller) apply(changes discover.Changes) {
	for _, err := range changes.Errors {
		c.logger.Info("A process cannot be looked at, and is not traced", zap.Error(err))
	}
	for _, gone := range changes.Gone {
		if p := c.processes.end(gone.PID); p != nil {
			c.executables.advance(p.executable, useReviewed)
		}
	}
	for _, match := range changes.Appeared {
		c.entries.match(match.Target)
		x := c.executables.of(match.Process)
		c.processes.appear(match, x)
		c.executables.advance(x, processAppeared)
	}
	for _, match := range changes.Updated {
		c.entries.match(match.Target)
		if p := c.processes.update(match); p != nil {
			c.executables.advance(p.executable, processUpdated)
		}
	}
	c.reportHealth()
}

// prepared takes in what the preparer has brought.
func (c *controller) prepared(p preparation) {
	c.executables.prepared(p)
	c.reportHealth()
	c.recheck()
}

// keepHouse does what is due from time to time.
func (c *controller) keepHouse(now time.Time) {
	c.executables.reviewAll()
	c.sweeper.sweepProcesses(now)
	c.registry.expire(now)
	c.losses.look(now)
	c.reportHealth()
}

func (c *controller) reportHealth() {
	c.health.report(c.losses.lackOfRoom(time.Now()), c.executables.failures())
}

// stop waits for what is under way, and takes every probe out.
func (c *controller) stop() {
	for c.executables.stop() {
		select {
		case p := <-c.executables.preparer.prepared:
			c.prepared(p)
		case x := <-c.executables.detached:
			c.executables.removed(x)
		}
	}
	c.counts.gauges(0, 0)
}
