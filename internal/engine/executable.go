//go:build linux && (amd64 || arm64)

package engine

import (
	"time"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
)

const (
	// idleTime is how long a file stays attached that no target runs: a service may be on its way
	// down and up again. Meanwhile the file system is busy (umount), and nothing but this process
	// keeps a writer from code with probes in it.
	idleTime = 10 * time.Second
	// memoryTime is how long the engine remembers that there is nothing to attach to a file.
	memoryTime = 10 * time.Minute
	// maxRemembered bounds the files that are known. Those that no process runs are released first.
	maxRemembered = 4096
)

// executable is an executable file that at least one target runs or ran. Work that belongs to a
// file is done once, and failures are remembered too.
type executable struct {
	id    model.ExeID
	path  string // as the first process of it named the file
	state executableState

	// In executableAttached and executableDetaching.
	index     uint32 // the number by which programs know it
	probes    *probes
	adopted   bool
	goVersion string
	goroutine *plan.Goroutine

	idleSince time.Time // zero while a process runs it
	plugins   bool      // it can load plugins
	failure   error     // why it, or a library in it, is not traced; nil if nothing is wrong
	reported  string    // the text of the latest failure that the log has
	symbol    string    // in executableLeftAlone: the function that is OpenTelemetry's SDK's
}

// lasting tells whether the executable may stay as it is although no process runs it. An attached
// one may run again unchanged: a lease says so as long as the file has a name. That there is
// nothing to attach holds for the next process as well.
func (x *executable) lasting(now time.Time, crowded bool) bool {
	switch x.state {
	case executableAttached:
		return x.idle(now) <= idleTime && x.probes.file.leased && x.probes.file.unchanged(x.id)
	case executableFailed:
		return x.idle(now) <= memoryTime && !crowded
	}
	return false
}

// idle is how long no process has run the executable.
func (x *executable) idle(now time.Time) time.Duration {
	if x.idleSince.IsZero() {
		x.idleSince = now
	}
	return now.Sub(x.idleSince)
}
