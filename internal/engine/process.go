//go:build linux && (amd64 || arm64)

package engine

import (
	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/internal/model"
)

// processKey names a process from when it is traced on. The generation tells apart what ran under
// one process id: the id comes again, and exec keeps it.
type processKey struct {
	pid        uint32
	generation uint32
}

// processState is how far a process has come.
type processState uint8

const (
	processWaiting processState = iota // for the probes of its executable
	processTraced                      // the kernel traces it, and it has a key
	processRefused                     // the kernel did not take it
)

// process is a process that is a target.
type process struct {
	model.Process
	entry      int // index of the entry of the configuration that selects it
	executable *executable
	state      processState
	key        processKey // in processTraced
}

func (p *process) traced() bool { return p.state == processTraced }

// sinceBoot is CLOCK_BOOTTIME in nanoseconds, which the programs take times from.
func sinceBoot() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		panic(err) // the clock exists on every kernel that passed the checks
	}
	return now.Nano()
}
