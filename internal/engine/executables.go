//go:build linux && (amd64 || arm64)

package engine

import (
	"time"

	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/internal/model"
)

// executables is the book of executables. It takes each through its states, and does what a
// transition asks for. It belongs to the controller's goroutine.
type executables struct {
	config    Config
	logger    *zap.Logger
	counts    *counts
	kernel    kernel
	finder    finder
	processes *processes
	rechecks  *rechecks
	preparer  *preparer

	byID     map[model.ExeID]*executable
	knownSDK map[model.ExeID]bool // these contain OpenTelemetry's SDK, and are inspected once
	indexes  indexes
	detached chan *executable // whose probes are out
	stopping bool             // nothing new is prepared
}

func newExecutables(
	config Config, settings Settings, kernel kernel, finder finder, processes *processes,
	rechecks *rechecks, guard *guard, counts *counts,
) *executables {
	return &executables{
		config: config, logger: settings.Logger, counts: counts, kernel: kernel, finder: finder,
		processes: processes, rechecks: rechecks,
		preparer: newPreparer(config, settings, kernel, guard),
		byID:     map[model.ExeID]*executable{},
		knownSDK: map[model.ExeID]bool{},
		detached: make(chan *executable),
	}
}

// of gives the executable that a process runs, which is a new one if no process ran it before.
func (b *executables) of(p model.Process) *executable {
	x := b.byID[p.ID]
	if x == nil {
		x = &executable{id: p.ID, path: p.Exe}
		b.byID[x.id] = x
	}
	return x
}

// advance takes an executable through an event.
func (b *executables) advance(x *executable, event executableEvent) {
	now := b.circumstances(x, event)
	var actions []executableAction
	x.state, actions = x.state.next(event, now)
	for _, action := range actions {
		b.perform(action, x)
	}
}

func (b *executables) circumstances(x *executable, event executableEvent) circumstances {
	now := circumstances{
		used:     b.processes.use(x),
		knownSDK: b.knownSDK[x.id],
		room:     b.indexes.left(),
		stopping: b.stopping,
	}
	if now.used {
		x.idleSince = time.Time{}
	} else if event == useReviewed {
		now.lasting = x.lasting(time.Now(), len(b.byID) > maxRemembered)
	}
	return now
}

// prepared takes in what the preparer has brought.
func (b *executables) prepared(p preparation) {
	x := p.executable
	x.failure = p.err
	x.plugins, x.settled, x.symbol = p.plugins, p.settled, p.symbol
	x.probes, x.goVersion, x.goroutine = p.probes, p.goVersion, p.goroutine
	b.advance(x, p.event)
	b.advance(x, useReviewed)
	b.yieldToWriters() // one may have come while the file was prepared
}

// removed takes in that the probes of an executable are out.
func (b *executables) removed(x *executable) {
	x.probes = nil
	b.advance(x, probesRemoved)
}

// reviewAll releases what no process runs any more, and what has lasted long enough.
func (b *executables) reviewAll() {
	for _, x := range b.byID {
		b.advance(x, useReviewed)
	}
}

// yieldToWriters takes in that probes are on their way out since somebody waits to write to their
// file.
func (b *executables) yieldToWriters() {
	for _, x := range b.byID {
		if x.state == executableAttached && x.probes.yielded.Load() {
			b.advance(x, writerArrived)
		}
	}
}

// stop has every probe taken out, and tells whether something is under way still.
func (b *executables) stop() (busy bool) {
	b.stopping = true
	for _, x := range b.byID {
		b.advance(x, tracingStopped)
		busy = busy || x.state == executablePreparing || x.state == executableDetaching
	}
	return busy
}

// attached counts the executables whose probes are in.
func (b *executables) attached() int {
	n := 0
	for _, x := range b.byID {
		if x.state == executableAttached {
			n++
		}
	}
	return n
}

// failures says why executables that processes run are not traced, or not in full; nil if there
// are none.
func (b *executables) failures() error {
	var all untraced
	for _, x := range b.byID {
		if x.failure == nil {
			continue
		}
		for p := range b.processes.of(x) {
			if len(all.files) < maxUntraced {
				all.files = append(all.files, untracedFile{p.Exe, x.failure})
			} else {
				all.more++
			}
			break
		}
	}
	if all.files == nil {
		return nil
	}
	return &all
}
