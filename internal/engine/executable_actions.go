//go:build linux && (amd64 || arm64)

package engine

import (
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/spanprobe/spanprobe/internal/inspect"
)

// perform does one thing that a transition of an executable asks for.
func (b *executables) perform(action executableAction, x *executable) {
	switch action {
	case prepareExecutable:
		b.prepare(x)
	case notePause:
		b.counts.delayPreparation()
		b.logger.Debug("The file of a target was examined moments ago, and is examined later",
			zap.String("exe", x.path))
	case makeRoom:
		b.makeRoom(x)
	case reportFailure:
		b.reportFailure(x)
	case reportLeftOut:
		if x.failure != nil {
			b.reportFailure(x)
		}
	case reportLeftAlone:
		b.reportLeftAlone(x)
	case traceProcesses:
		b.processes.traceWaiting(x)
	case adoptFile:
		b.adopt(x)
	case recheckProcesses:
		for p := range b.processes.of(x) {
			b.rechecks.add(recheck{pid: p.PID, anew: true})
		}
	case detachExecutable:
		b.detach(x)
	case returnIndex:
		b.indexes.give(x.index)
	case releaseExecutable:
		delete(b.byID, x.id)
	}
}

// prepare has the executable inspected and attached in the background.
func (b *executables) prepare(x *executable) {
	b.pauses.begin(x.id)
	for p := range b.processes.of(x) {
		b.preparer.start(x, p.PID, p.Exe)
		break
	}
}

// makeRoom has the executable detached that no process has run for longest, so that there is room
// the next time that this one is prepared.
func (b *executables) makeRoom(x *executable) {
	var idle *executable
	now := time.Now()
	for _, other := range b.byID {
		if other.state == executableAttached && !b.processes.use(other) &&
			(idle == nil || other.idle(now) > idle.idle(now)) {
			idle = other
		}
	}
	if idle == nil {
		b.reportFailure(x)
		return
	}
	x.failure = nil
	b.advance(idle, roomWanted)
}

// adopt has the kernel trace new processes of the file from their first instruction on, where the
// file alone decides that a process is a target.
func (b *executables) adopt(x *executable) {
	if x.adopted {
		return
	}
	// All processes of the executable may have ended while it was prepared.
	paths := []string{x.path}
	for p := range b.processes.of(x) {
		paths = append(paths, p.Exe)
	}
	if !slices.ContainsFunc(paths, b.finder.ByFile) {
		return
	}
	if err := b.kernel.Adopt(x.id, x.index); err != nil {
		b.logger.Warn("New processes of a target's file are traced with a delay",
			zap.String("exe", x.path), zap.Error(err))
		return
	}
	x.adopted = true
}

// detach ends the tracing of the executable's processes, and takes the probes out in the
// background.
func (b *executables) detach(x *executable) {
	b.processes.suspend(x)
	if x.adopted {
		if err := b.kernel.Disown(x.id, x.index); err != nil {
			b.logger.Error("New processes of a detached file stay targets",
				zap.Stringer("file", x.id), zap.Error(err))
		}
		x.adopted = false
	}
	probes := x.probes
	go func() {
		if err := probes.remove(); err != nil {
			b.logger.Error("A binary cannot be detached cleanly",
				zap.Stringer("file", x.id), zap.Error(err))
		}
		b.detached <- x
	}()
}

// Why there is nothing to trace in an executable of Go.
var (
	errNothingInIt = errors.New("none of the libraries that are traced is in it")
	errOnlyPlugins = errors.New("none of the libraries that are traced is in it; " +
		"it loads plugins, and what only those have is not traced")
)

// reportFailure says why an executable is not traced, once for each reason. That there is nothing
// to trace is no failure.
func (b *executables) reportFailure(x *executable) {
	path, pid, named := "", 0, false
	for p := range b.processes.of(x) {
		path, pid = p.Exe, p.PID
		named = named || b.config.Targets[p.entry].PID != 0
	}
	final := x.state == executableFailed && errors.Is(x.failure, inspect.ErrNotGo)
	if x.failure != nil && !final {
		if x.reported == x.failure.Error() {
			return // it was tried again
		}
		x.reported = x.failure.Error()
		b.counts.failToAttach()
		message := "A target cannot be traced"
		if x.probes != nil {
			message = "A target is traced in part"
		}
		b.logger.Warn(message,
			zap.String("exe", path), zap.Int("pid", pid), zap.Error(x.failure))
		return
	}
	reason := x.failure
	switch {
	case reason != nil:
	case x.plugins:
		reason = errOnlyPlugins
	default:
		reason = errNothingInIt
	}
	level := zapcore.InfoLevel
	if named {
		level = zapcore.WarnLevel // it was meant
	}
	b.logger.Log(level, "A target has nothing that can be traced",
		zap.String("exe", path), zap.Int("pid", pid), zap.NamedError("reason", reason))
	x.failure = nil
}

// reportLeftAlone says once that an executable contains OpenTelemetry's SDK. That is no failure.
// The file is remembered, and not inspected again.
func (b *executables) reportLeftAlone(x *executable) {
	if len(b.knownSDK) >= maxBinaries {
		clear(b.knownSDK) // of files that are gone, for the most part
	}
	b.knownSDK[x.id] = true
	b.counts.leaveAlone()
	path, pid := x.path, 0
	for p := range b.processes.of(x) {
		path, pid = p.Exe, p.PID
	}
	b.logger.Info("A target contains OpenTelemetry's SDK, so it may trace itself, "+
		"and is left alone; `instrumented: trace` has it traced all the same",
		zap.String("exe", path), zap.Int("pid", pid), zap.String("symbol", x.symbol))
}
