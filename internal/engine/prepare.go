//go:build linux && (amd64 || arm64)

package engine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/internal/attach"
	"github.com/spanprobe/spanprobe/internal/discover"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
)

// prepared is what became of a binary that was inspected and attached.
type prepared struct {
	binary     *traced
	file       *os.File
	leased     bool
	attachment *attach.Attachment // nil: nothing is traced
	goVersion  string
	goroutine  *plan.Goroutine
	err        error
	vanished   bool   // the process went away before its file could be opened
	plugins    bool   // it can load plugins
	settled    bool   // there is nothing to attach, and that follows from the file alone
	leftAlone  string // the function that says that the program may trace itself, if it is left alone for that
}

// prepare inspects and attaches a binary in the background.
func (c *controller) prepare(t *traced) {
	if c.stopping {
		return
	}
	if c.leftAlone[t.id] {
		t.state = stateLeftAlone
		return
	}
	index, ok := c.indexes.take()
	if !ok {
		t.state, t.failure = stateFailed, fmt.Errorf("%d binaries are attached already, which is all that spanprobe can hold", maxBinaries)
		c.reportFailure(t)
		return
	}
	t.state, t.index = statePreparing, index
	var pid int
	var exe string
	for _, r := range t.processes {
		pid, exe = r.process.PID, r.process.Exe
	}
	c.settings.Logger.Debug("Examining the file of a target", zap.Int("pid", pid), zap.String("exe", exe))
	go func() {
		p := prepared{vanished: true}
		select {
		case c.slots <- struct{}{}:
			defer func() { <-c.slots }()
			p = c.attachFile(pid, exe, t.id, index)
		case <-c.stop:
		}
		p.binary = t
		c.prepared <- p
	}()
}

// attachFile opens the executable of a process, and inspects and attaches this
// one open file: its path may name another by then.
func (c *controller) attachFile(pid int, exe string, id model.ExeID, index uint32) (p prepared) {
	file, err := openExecutable(pid, exe, id)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return prepared{vanished: true}
	}
	if err != nil {
		return prepared{err: err}
	}
	defer func() {
		if p.attachment != nil {
			p.file = file
			return
		}
		if p.leased {
			p.err = errors.Join(p.err, attach.ReturnLease(file))
		}
		p.err = errors.Join(p.err, file.Close())
	}()
	// Before anything is read: what is written from now on breaks the lease.
	leaseErr := attach.Lease(file)
	p.leased = leaseErr == nil
	if same, err := discover.FileID(descriptorPath(file)); err != nil || same != id {
		p.vanished = err == nil // the process runs another program by now
		p.err = err
		return p
	}
	contents := &readable{file: file}
	binary, planned, err := PlanFile(contents, id.Size, exe, c.settings.Libraries, c.settings.Offsets)
	if err != nil {
		p.err, p.settled = err, contents.whole()
		return p
	}
	p.plugins = binary.Plugins
	p.goVersion, p.goroutine, p.err = binary.GoVersion, planned.Goroutine, leftOut(planned)
	// One in which nothing would be traced either way is told of as such.
	used := planned.Traced() || p.err != nil
	if used && binary.TracerProvider != "" && c.config.Instrumented != InstrumentedTrace {
		p.leftAlone, p.err = binary.TracerProvider, nil
		return p
	}
	if !planned.Traced() {
		p.settled = contents.whole()
		return p
	}
	if p.attachment, err = c.kernel.Attach(file, index, planned); err != nil {
		p.err = errors.Join(p.err, err)
		return p
	}
	if leaseErr != nil {
		c.settings.Logger.Debug("No lease on the executable; its probes go with its last process",
			zap.String("exe", exe), zap.Error(leaseErr))
	}
	return p
}

// readable is a file of which it is noted whether it could be read: what was found out
// without some of it does not follow from the file alone.
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

// openExecutable opens the executable of a process; of one that has ended by now,
// the file at its path, if that is the same: it may run again.
func openExecutable(pid int, exe string, id model.ExeID) (*os.File, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/exe", pid))
	if err == nil || !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
		return file, err
	}
	if there, pathErr := discover.FileID(exe); pathErr != nil || there != id {
		return nil, err
	}
	// Whatever has taken its place meanwhile, opening it does not wait.
	return os.OpenFile(exe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// leftOut gives the reasons why libraries that the binary uses are not traced.
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

func descriptorPath(file *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", file.Fd()) }
