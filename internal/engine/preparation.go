//go:build linux && (amd64 || arm64)

package engine

import (
	"errors"
	"io"
	"strings"

	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// preparers is how many executables are inspected and attached at a time.
const preparers = 2

// preparer inspects and attaches executables in the background.
type preparer struct {
	kernel       kernel
	logger       *zap.Logger
	libraries    []probe.Library
	offsets      plan.Table
	instrumented InstrumentedMode

	slots    chan struct{} // one for each executable that is being prepared
	stop     <-chan struct{}
	prepared chan preparation
}

func newPreparer(config Config, settings Settings, kernel kernel) *preparer {
	return &preparer{
		kernel: kernel, logger: settings.Logger, libraries: settings.Libraries,
		offsets: settings.Offsets, instrumented: config.Instrumented,
		slots:    make(chan struct{}, preparers),
		prepared: make(chan preparation),
	}
}

// preparation is what the preparer has found out, and done, about an executable.
type preparation struct {
	executable *executable
	event      executableEvent // how it went
	probes     *probes         // in preparedProbes
	goVersion  string
	goroutine  *plan.Goroutine
	plugins    bool   // the executable can load plugins
	settled    bool   // in preparedNothing: that follows from the file alone
	symbol     string // in preparedSDK: the function that says so
	err        error  // why the executable, or a library in it, is not traced
}

// start prepares an executable in the background, which a process runs. The outcome comes by the
// channel.
func (r *preparer) start(x *executable, pid int, path string) {
	r.logger.Debug("Examining the file of a target", zap.Int("pid", pid), zap.String("exe", path))
	id, index := x.id, x.index
	go func() {
		p := preparation{event: processesVanished}
		select {
		case r.slots <- struct{}{}:
			defer func() { <-r.slots }()
			p = r.prepare(pid, path, id, index)
		case <-r.stop:
		}
		p.executable = x
		r.prepared <- p
	}()
}

// prepare opens the executable of a process, and inspects and attaches this one open file: the
// path may name another file by then.
func (r *preparer) prepare(pid int, path string, id model.ExeID, index uint32) preparation {
	// Before anything is read: who writes from now on breaks the lease.
	file, err, noLease := openLeased(pid, path, id)
	if err != nil {
		if isGone(err) {
			return preparation{event: processesVanished}
		}
		return preparation{event: preparedNothing, err: err}
	}
	p := r.inspect(file, path, id, index)
	if p.event == preparedProbes {
		if noLease != nil {
			r.logger.Debug("No lease on the executable; its probes go with its last process",
				zap.String("exe", path), zap.Error(noLease))
		}
		return p
	}
	err = file.close()
	switch {
	case err == nil:
	case p.event == processesVanished:
		r.logger.Debug("A file that is not inspected cannot be closed cleanly",
			zap.String("exe", path), zap.Error(err))
	default:
		p.event, p.err = preparedNothing, errors.Join(p.err, err)
	}
	return p
}

// inspect inspects an open file, and attaches what its plan says.
func (r *preparer) inspect(
	file leasedFile, path string, id model.ExeID, index uint32,
) preparation {
	there, err := file.identity()
	if err != nil {
		return preparation{event: preparedNothing, err: err}
	}
	if there != id { // the process runs another executable by now
		return preparation{event: processesVanished}
	}
	contents := &readable{file: file}
	binary, planned, err := PlanFile(contents, id.Size, path, r.libraries, r.offsets)
	if err != nil {
		return preparation{event: preparedNothing, settled: contents.whole(), err: err}
	}
	p := preparation{
		event: preparedNothing, goVersion: binary.GoVersion, goroutine: planned.Goroutine,
		plugins: binary.Plugins, err: leftOut(planned),
	}
	// A file in which nothing would be traced either way is reported as such.
	used := planned.Traced() || p.err != nil
	if used && binary.TracerProvider != "" && r.instrumented != InstrumentedTrace {
		p.event, p.symbol, p.err = preparedSDK, binary.TracerProvider, nil
		return p
	}
	if !planned.Traced() {
		p.settled = contents.whole()
		return p
	}
	attached, err := r.kernel.Attach(file.File, index, planned)
	if err != nil {
		p.err = errors.Join(p.err, err)
		return p
	}
	p.event, p.probes = preparedProbes, &probes{attached, file}
	return p
}

// leftOut joins the reasons why libraries that the executable uses are not traced.
func leftOut(p *plan.Plan) error {
	var reasons []string
	for _, library := range p.Libraries {
		if library.LeftOut != "" {
			reasons = append(reasons, library.Library+": "+library.LeftOut)
		}
	}
	if reasons == nil {
		return nil
	}
	return errors.New(strings.Join(reasons, "; "))
}

// readable is a file that notes whether it could be read: a finding without some of the file does
// not follow from the file alone.
type readable struct {
	file   io.ReaderAt
	failed bool
}

func (r *readable) ReadAt(p []byte, at int64) (int, error) {
	n, err := r.file.ReadAt(p, at)
	if err != nil && !errors.Is(err, io.EOF) {
		r.failed = true
	}
	return n, err
}

func (r *readable) whole() bool { return !r.failed }
