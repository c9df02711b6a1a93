//go:build linux && (amd64 || arm64)

package engine

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/internal/attach"
	"github.com/spanprobe/spanprobe/internal/discover"
	"github.com/spanprobe/spanprobe/internal/inspect"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
)

// traced is an executable file that at least one target runs or ran. Work that
// belongs to a file is done once, and failures are remembered too.
type traced struct {
	id        model.ExeID
	state     state
	exe       string           // its path, as the first process of it named it
	processes map[int]*running // that run it, by pid

	// From stateAttached on.
	index      uint32
	file       *os.File
	leased     bool
	adopted    bool
	attachment *attach.Attachment
	goVersion  string
	goroutine  *plan.Goroutine
	idleSince  time.Time // zero while a process runs it

	plugins bool  // it can load plugins
	settled bool  // in stateFailed: what was found out holds for every process of the file
	failure error // why it, or a library in it, is not traced; nil for what has nothing to trace
}

type state uint8

const (
	stateNew state = iota
	statePreparing
	stateAttached
	stateDetaching
	stateFailed
	stateLeftAlone // it contains OpenTelemetry's SDK
)

// finishPreparing takes what a preparer brought.
func (c *controller) finishPreparing(p prepared) {
	t := p.binary
	switch {
	case p.attachment != nil:
		t.state, t.file, t.leased, t.attachment = stateAttached, p.file, p.leased, p.attachment
		t.goVersion, t.goroutine = p.goVersion, p.goroutine
		if p.err != nil {
			t.failure = p.err
			c.reportFailure(t)
		}
		for _, r := range slices.Collect(maps.Values(t.processes)) {
			c.trace(r)
		}
		c.adopt(t)
		c.dropIfUnused(t)
		c.yieldLeases() // a writer may have come while it was being prepared
	case p.vanished:
		c.indexes.give(t.index)
		t.state = stateNew
		c.rescan(t)
		c.dropIfUnused(t)
	case p.leftAlone != "" && p.err == nil:
		c.indexes.give(t.index)
		c.leaveAlone(t, p.leftAlone)
		c.dropIfUnused(t)
	default:
		c.indexes.give(t.index)
		t.state, t.failure, t.plugins, t.settled = stateFailed, p.err, p.plugins, p.settled
		c.reportFailure(t)
		c.dropIfUnused(t)
	}
	c.reportHealth()
}

// demand names a library whose hooks on demand are missed in a program's binary.
type demand struct {
	program program
	library string
}

// demand notes one. It is called from the goroutine that reads spans, which does
// not wait: it asks again.
func (c *controller) demand(d demand) {
	select {
	case c.demands <- d:
	default:
	}
}

// answer attaches what is missed, in the background: the kernel may wait for every
// process of the binary.
func (c *controller) answer(d demand) {
	r := c.processes[int(d.program.pid)]
	if r == nil || r.program != d.program || r.binary.state != stateAttached {
		return
	}
	attachment, exe := r.binary.attachment, r.process.Exe
	go func() {
		if err := attachment.Demand(d.library); err != nil {
			c.counts.failToAttach()
			c.settings.Logger.Warn("Hooks that would tell more cannot be attached", zap.String("library", d.library), zap.String("exe", exe), zap.Error(err))
		}
	}()
}

// rescan looks again at the processes of a binary that could not be opened.
func (c *controller) rescan(t *traced) {
	for _, pid := range slices.Collect(maps.Keys(t.processes)) {
		c.apply(c.finder.Exec(pid))
	}
}

// Why there is nothing to trace in a program of Go.
var (
	errNothingInIt = errors.New("none of the libraries that are traced is in it")
	errOnlyPlugins = errors.New("none of the libraries that are traced is in it; it loads plugins, and what only those have is not traced")
)

// reportFailure tells once for a binary why it is not traced.
func (c *controller) reportFailure(t *traced) {
	exe, pid, named := "", 0, false
	for _, r := range t.processes {
		exe, pid = r.process.Exe, r.process.PID
		named = named || c.config.Targets[r.target].PID != 0
	}
	if t.failure == nil || errors.Is(t.failure, inspect.ErrNotGo) {
		why := t.failure
		if why == nil {
			why = errNothingInIt
			if t.plugins {
				why = errOnlyPlugins
			}
		}
		level := zap.InfoLevel
		if named {
			level = zap.WarnLevel // it was meant
		}
		c.settings.Logger.Log(level, "A target has nothing that can be traced", zap.String("exe", exe), zap.Int("pid", pid), zap.NamedError("reason", why))
		t.failure = nil
		return
	}
	c.counts.failToAttach()
	c.settings.Logger.Warn("A target cannot be traced", zap.String("exe", exe), zap.Int("pid", pid), zap.Error(t.failure))
}

// leaveAlone notes that a binary contains OpenTelemetry's SDK, and is not looked at
// again, and tells so once. That is no failure.
func (c *controller) leaveAlone(t *traced, symbol string) {
	t.state = stateLeftAlone
	if len(c.leftAlone) >= maxBinaries {
		clear(c.leftAlone) // of files that are gone, for the most part
	}
	c.leftAlone[t.id] = true
	c.counts.leaveAlone()
	exe, pid := t.exe, 0
	for _, r := range t.processes {
		exe, pid = r.process.Exe, r.process.PID
	}
	c.settings.Logger.Info("A target contains OpenTelemetry's SDK, so it may trace itself, and is left alone; `instrumented: trace` has it traced all the same",
		zap.String("exe", exe), zap.Int("pid", pid), zap.String("symbol", symbol))
}

// adopt has the kernel trace new processes of the file from their first
// instruction on, where the file alone decides that a process is a target.
func (c *controller) adopt(t *traced) {
	if t.state != stateAttached || t.adopted {
		return
	}
	// All processes of it may have ended while it was prepared.
	paths := []string{t.exe}
	for _, r := range t.processes {
		paths = append(paths, r.process.Exe)
	}
	if !slices.ContainsFunc(paths, c.finder.ByFile) {
		return
	}
	if err := c.kernel.Adopt(t.id, t.index); err != nil {
		c.settings.Logger.Warn("New processes of a target's file are traced with a delay", zap.String("exe", t.exe), zap.Error(err))
		return
	}
	t.adopted = true
}

// dropIfUnused detaches a binary that no target runs any more, unless it may
// run again unchanged: a lease says so as long as the file has a name. That there is
// nothing to attach is remembered as well.
func (c *controller) dropIfUnused(t *traced) {
	if len(t.processes) > 0 {
		t.idleSince = time.Time{}
		return
	}
	switch t.state {
	case stateNew, stateLeftAlone:
		delete(c.binaries, t.id)
	case stateFailed:
		if t.idleSince.IsZero() {
			t.idleSince = time.Now()
		}
		if !t.settled || len(c.binaries) > maxRemembered || time.Since(t.idleSince) > idleTime {
			delete(c.binaries, t.id)
		}
	case stateAttached:
		if t.idleSince.IsZero() {
			t.idleSince = time.Now()
		}
		if !t.leased || !t.current() || time.Since(t.idleSince) > idleTime {
			c.detach(t)
		}
	}
}

// idleTime is how long a file stays attached that no target runs, and how long it is
// remembered that there is nothing to attach to one.
const idleTime = 10 * time.Minute

// maxRemembered bounds the files that are known; those that nobody runs are forgotten
// first.
const maxRemembered = 4096

// current tells whether a path still leads to the open file, and it is the one
// that was attached: a new time stamp makes it another for discovery.
func (t *traced) current() bool {
	info, err := t.file.Stat()
	if err != nil || info.Sys().(*syscall.Stat_t).Nlink == 0 {
		return false
	}
	id, err := discover.FileID(descriptorPath(t.file))
	return err == nil && id == t.id
}

func (c *controller) dropUnused() {
	for _, t := range c.binaries {
		c.dropIfUnused(t)
	}
}

// yieldLeases detaches every file that a writer waits for.
func (c *controller) yieldLeases() {
	for _, t := range c.binaries {
		if t.state != stateAttached || !t.leased {
			continue
		}
		broken, err := attach.LeaseBroken(t.file)
		if err != nil {
			c.settings.Logger.Error("A lease cannot be looked at; the binary is detached", zap.Stringer("file", t.id), zap.Error(err))
		}
		if broken || err != nil {
			c.detach(t)
		}
	}
}

// detach takes a binary's probes out in the background.
func (c *controller) detach(t *traced) {
	t.state = stateDetaching
	for _, r := range t.processes {
		if r.program != (program{}) {
			c.registry.end(r.program, time.Now())
			c.forget(r.program)
			r.program = program{}
		}
	}
	if t.adopted {
		if err := c.kernel.Disown(t.id, t.index); err != nil {
			c.settings.Logger.Error("New processes of a detached file stay targets", zap.Stringer("file", t.id), zap.Error(err))
		}
		t.adopted = false
	}
	go func() {
		if err := t.close(); err != nil {
			c.settings.Logger.Error("A binary cannot be detached cleanly", zap.Stringer("file", t.id), zap.Error(err))
		}
		c.detached <- t
	}()
}

// close takes the probes out, and only then lets a writer at the file.
func (t *traced) close() error {
	err := t.attachment.Close()
	if t.leased {
		err = errors.Join(err, attach.ReturnLease(t.file))
	}
	return errors.Join(err, t.file.Close())
}

func (c *controller) finishDetaching(t *traced) {
	c.indexes.give(t.index)
	t.state = stateNew
	t.attachment, t.file = nil, nil
	if len(t.processes) > 0 { // one started meanwhile
		c.prepare(t)
		return
	}
	delete(c.binaries, t.id)
}

// detachAll waits for what is under way, and takes every probe out.
func (c *controller) detachAll() {
	c.stopping = true
	for {
		busy := 0
		for _, t := range c.binaries {
			switch t.state {
			case stateAttached:
				c.detach(t)
				busy++
			case statePreparing, stateDetaching:
				busy++
			}
		}
		if busy == 0 {
			c.counts.gauges(0, 0)
			return
		}
		select {
		case p := <-c.prepared:
			c.finishPreparing(p)
		case t := <-c.detached:
			c.indexes.give(t.index)
			delete(c.binaries, t.id)
		}
	}
}

func (c *controller) reportHealth() {
	c.health.report(c.losses.lackOfRoom(time.Now()), c.failures())
}

// failures joins why binaries that processes run are not traced, or not in full.
func (c *controller) failures() error {
	var errs []error
	for _, t := range c.binaries {
		if t.failure == nil {
			continue
		}
		for _, r := range t.processes {
			errs = append(errs, fmt.Errorf("%s: %w", r.process.Exe, t.failure))
			break
		}
	}
	return errors.Join(errs...)
}

func (c *controller) attachedBinaries() int {
	n := 0
	for _, t := range c.binaries {
		if t.state == stateAttached {
			n++
		}
	}
	return n
}
