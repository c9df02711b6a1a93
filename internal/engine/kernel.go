//go:build linux && (amd64 || arm64)

package engine

import (
	"os"

	"github.com/spanprobe/spanprobe/internal/attach"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// kernel is what the controller asks of the kernel: loadedKernel, or that of a test.
type kernel interface {
	Trace(pid int, p wire.Process) (wire.Process, error)
	Forget(pid int, generation uint32) error
	Adopt(id model.ExeID, index uint32) error
	Disown(id model.ExeID, index uint32) error
	Attach(file *os.File, index uint32, p *plan.Plan) (attachment, error)
	Sweep(gone func(pid int, generation uint32) bool) (attach.Swept, bool, error)
	SweepOperations(gone func(attach.Operation) bool) (attach.Swept, bool, error)
	lossKernel
}

// attachment is what attach.Attachment is to the controller.
type attachment interface {
	Demand(library string) error
	Close() error
}

// loadedKernel is the kernel with spanprobe's programs in it.
type loadedKernel struct{ *attach.Kernel }

func (k loadedKernel) Attach(file *os.File, index uint32, p *plan.Plan) (attachment, error) {
	a, err := k.Kernel.Attach(file, index, p)
	if err != nil {
		return nil, err
	}
	return a, nil
}
