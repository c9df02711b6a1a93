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
	indexes  *indexes
	pauses   *pauses
	detached chan *executable // whose probes are out
	stopping bool             // nothing new is prepared
}

func newExecutables(
	config Config, settings Settings, kernel kernel, finder finder, processes *processes,
	rechecks *rechecks, guard *guard, counts *counts,
) *executables {
	indexes := &indexes{}
	return &executables{
		config: config, logger: settings.Logger, counts: counts, kernel: kernel, finder: finder,
		processes: processes, rechecks: rechecks,
		preparer: newPreparer(config, settings, kernel, guard, indexes),
		byID:     map[model.ExeID]*executable{},
		knownSDK: map[model.ExeID]bool{},
		indexes:  indexes,
		pauses:   newPauses(),
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
		paused:   b.pauses.bar(x.id, time.Now()),
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
	x.plugins, x.symbol = p.plugins, p.symbol
	x.index, x.probes, x.goVersion, x.goroutine = p.index, p.probes, p.goVersion, p.goroutine
	b.pauses.end(x.id, p.took, time.Now())
	b.advance(x, p.event)
	if !b.processes.use(x) {
		b.advance(x, useReviewed)
	}
	b.yieldToWriters() // one may have come while the file was prepared
}

// removed takes in that the probes of an executable are out.
func (b *executables) removed(x *executable) {
	x.probes = nil
	b.advance(x, probesRemoved)
}

// reviewAll releases what no process runs any more, and what has lasted long enough. What waits is
// prepared once its pause is over.
func (b *executables) reviewAll() {
	b.pauses.forget(time.Now())
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
