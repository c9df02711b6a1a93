//go:build linux && (amd64 || arm64)

package engine

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/internal/attach"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/probe"
)

const (
	// preparers is how many executables are inspected and attached at a time.
	preparers = 2
	// preparationTime is how long a file may take to be inspected. A file of 100 MB takes some
	// 0.2 s (docs/benchmarks.md), if its file system answers.
	preparationTime = 10 * time.Second
	// maxUnanswered bounds the files that are still read after that time, each with a thread.
	maxUnanswered = 64
)

// Why an executable was not inspected.
var (
	errNoAnswer = fmt.Errorf("its file system has not answered within %v", preparationTime)
	errTooLong  = fmt.Errorf("its inspection takes longer than %v", preparationTime)
	errDevice   = errors.New("another file of its file system has not answered")
	errTooMany  = errors.New("too many files of other file systems have not answered")
	errNoRoom   = fmt.Errorf(
		"%d executables are attached already, which is all that spanprobe can hold", maxBinaries)
)

// preparer inspects and attaches executables in the background.
type preparer struct {
	kernel       kernel
	guard        *guard
	indexes      *indexes
	logger       *zap.Logger
	libraries    []probe.Library
	offsets      plan.Table
	instrumented InstrumentedMode

	slots    chan struct{} // one for each executable that is being prepared
	stop     <-chan struct{}
	prepared chan preparation
	time     time.Duration // preparationTime, or that of a test

	mu         sync.Mutex
	unanswered map[uint64]int // the files that are read after their time, by device
}

func newPreparer(
	config Config, settings Settings, kernel kernel, guard *guard, indexes *indexes,
) *preparer {
	return &preparer{
		kernel: kernel, guard: guard, indexes: indexes,
		logger: settings.Logger, libraries: settings.Libraries,
		offsets: settings.Offsets, instrumented: config.Instrumented,
		slots:      make(chan struct{}, preparers),
		prepared:   make(chan preparation),
		time:       preparationTime,
		unanswered: map[uint64]int{},
	}
}

// preparation is what the preparer has found out, and done, about an executable.
type preparation struct {
	executable *executable
	event      executableEvent // how it went
	took       time.Duration
	index      uint32  // in preparedProbes: by which programs know the executable
	probes     *probes // in preparedProbes
	goVersion  string
	goroutine  *plan.Goroutine
	plugins    bool   // the executable can load plugins
	symbol     string // in preparedSDK: the function that says so
	err        error  // why the executable, or a library in it, is not traced
}

// start prepares an executable in the background, which a process runs. The outcome comes by the
// channel.
func (r *preparer) start(x *executable, pid int, path string) {
	r.logger.Debug("Examining the file of a target", zap.Int("pid", pid), zap.String("exe", path))
	id := x.id
	go func() {
		p := preparation{event: processesVanished}
		select {
		case r.slots <- struct{}{}:
			defer func() { <-r.slots }()
			began := time.Now()
			p = r.await(pid, path, id)
			p.took = time.Since(began)
		case <-r.stop:
		}
		p.executable = x
		r.prepared <- p
	}()
}

// attempt is an attempt at an executable, which may be given up until probes are put in. What is
// read of a file takes as long as its file system makes it take, and nothing ends it.
type attempt struct {
	decided atomic.Bool
	asking  atomic.Bool // the file system has not answered yet
}

// attach decides that probes are put in. False: the attempt was given up.
func (a *attempt) attach() bool { return a.decided.CompareAndSwap(false, true) }

// giveUp decides that none are. False: they are being put in.
func (a *attempt) giveUp() bool { return a.attach() }

// await prepares an executable, and gives up once that takes too long or tracing stops.
func (r *preparer) await(pid int, path string, id model.ExeID) preparation {
	if err := r.refuse(id.Dev); err != nil {
		return preparation{event: refusedForNow, err: err}
	}
	current, done := &attempt{}, make(chan preparation, 1)
	current.asking.Store(true)
	go func() { done <- r.prepare(current, pid, path, id) }()
	given := preparation{event: refusedForNow, err: errNoAnswer}
	timer := time.NewTimer(r.time)
	defer timer.Stop()
	select {
	case p := <-done:
		return p
	case <-timer.C:
	case <-r.stop:
		given = preparation{event: processesVanished}
	}
	if !current.giveUp() {
		return <-done // the kernel puts the probes in, which is no work of the file's
	}
	if !current.asking.Load() {
		<-done // it reads no more, and so ends soon
		if given.err != nil {
			given.err = errTooLong
		}
		return given
	}
	r.count(id.Dev, 1)
	go func() {
		<-done // an attempt that was given up has closed its file, and put nothing in
		r.count(id.Dev, -1)
	}()
	return given
}

// refuse tells why a file of a device is not opened.
func (r *preparer) refuse(device uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unanswered[device] > 0 {
		return errDevice
	}
	if len(r.unanswered) >= maxUnanswered {
		return errTooMany
	}
	return nil
}

func (r *preparer) count(device uint64, change int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unanswered[device] += change
	if r.unanswered[device] == 0 {
		delete(r.unanswered, device)
	}
}

// prepare opens the executable of a process, and inspects and attaches this one open file: the
// path may name another file by then.
func (r *preparer) prepare(a *attempt, pid int, path string, id model.ExeID) preparation {
	// Before anything is read: who writes from now on breaks the lease.
	file, err, noLease := openLeased(pid, path, id)
	if err != nil {
		if isGone(err) {
			return preparation{event: processesVanished}
		}
		return preparation{event: refusedForNow, err: attach.ExplainDescriptors(err)}
	}
	file.unanswered = func(change int) { r.count(id.Dev, change) }
	p := r.inspect(a, file, path, id)
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
		p.err = errors.Join(p.err, err)
		if p.event == preparedSDK {
			p.event = preparedNothing
		}
	}
	return p
}

// inspect inspects an open file, and attaches what its plan says. An outcome that follows from the
// file alone is final; for any other, the file is to be prepared again.
func (r *preparer) inspect(
	a *attempt, file leasedFile, path string, id model.ExeID,
) preparation {
	there, err := file.identity()
	if err != nil {
		return preparation{event: refusedForNow, err: err}
	}
	if there != id { // the process runs another executable by now
		return preparation{event: processesVanished}
	}
	a.asking.Store(false)
	contents := &readable{file: file, attempt: a}
	binary, planned, err := PlanFile(contents, id.Size, path, r.libraries, r.offsets)
	if err != nil {
		return preparation{event: contents.finding(), err: contents.explain(err)}
	}
	p := preparation{
		goVersion: binary.GoVersion, goroutine: planned.Goroutine, plugins: binary.Plugins,
		err: leftOut(planned),
	}
	// A file in which nothing would be traced either way is reported as such.
	used := planned.Traced() || p.err != nil
	if used && binary.TracerProvider != "" && r.instrumented != InstrumentedTrace {
		p.event, p.symbol, p.err = preparedSDK, binary.TracerProvider, nil
		return p
	}
	if !planned.Traced() {
		p.event, p.err = contents.finding(), contents.explain(p.err)
		return p
	}
	r.attach(a, file, planned, &p)
	return p
}

// attach puts the probes in, unless the attempt was given up.
func (r *preparer) attach(a *attempt, file leasedFile, planned *plan.Plan, p *preparation) {
	index, left := r.indexes.take()
	if !left {
		p.event, p.err = refusedForRoom, errNoRoom
		return
	}
	if !a.attach() {
		r.indexes.give(index)
		*p = preparation{event: processesVanished}
		return
	}
	attached, err := r.kernel.Attach(file.File, index, planned)
	if err != nil {
		r.indexes.give(index)
		p.event, p.err = refusedForNow, errors.Join(p.err, err)
		if errors.Is(err, attach.ErrNoRoom) {
			p.event = refusedForRoom
		}
		return
	}
	p.event, p.index = preparedProbes, index
	p.probes = &probes{attachment: attached, file: file, guard: r.guard}
	r.guard.add(p.probes)
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

// errGivenUp ends an inspection that nobody waits for any more.
var errGivenUp = errors.New("the attempt was given up")

// readable is a file that notes whether it could be read: a finding without some of the file does
// not follow from the file alone. Once the attempt is decided, nothing more is read.
type readable struct {
	file    io.ReaderAt
	attempt *attempt
	failure error
}

func (r *readable) ReadAt(p []byte, at int64) (int, error) {
	r.attempt.asking.Store(true)
	defer r.attempt.asking.Store(false)
	if r.attempt.decided.Load() {
		return 0, errGivenUp
	}
	n, err := r.file.ReadAt(p, at)
	if err != nil && !errors.Is(err, io.EOF) {
		r.failure = err
	}
	return n, err
}

// explain adds why the file could not be read to a finding that does not say so.
func (r *readable) explain(finding error) error {
	if r.failure == nil || errors.Is(finding, r.failure) {
		return finding
	}
	return errors.Join(finding, r.failure)
}

// finding is the event that nothing was found to trace.
func (r *readable) finding() executableEvent {
	if r.failure != nil {
		return refusedForNow
	}
	return preparedNothing
}
