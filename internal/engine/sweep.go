//go:build linux && (amd64 || arm64)

package engine

import (
	"time"

	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/internal/attach"
	"github.com/spanprobe/spanprobe/internal/goroutine"
	"github.com/spanprobe/spanprobe/internal/plan"
)

// goroutineInterval is how often operations are looked at whose goroutine may have ended while
// they were in flight, and how old these are: a client panicked, or a server found its client's
// connection gone and wrote no answer.
const goroutineInterval = 5 * time.Second

// sweeper removes the operations in flight that will never finish, and counts them. It belongs to
// the controller's goroutine. Only the memory of targets is read outside of that.
type sweeper struct {
	kernel    kernel
	processes *processes
	book      *lossBook
	logger    *zap.Logger
	stop      <-chan struct{} // ends a look early

	hasEnded func(pid int, g, id uint64, at plan.Goroutine) (bool, error)
	looking  bool // a look goes on in the background
	looked   chan look
}

// look is what a look at the goroutines of operations has found.
type look struct {
	ended  map[attach.Operation]bool
	unread map[attach.Operation]error // why it is not known
}

func newSweeper(settings Settings, kernel kernel, processes *processes, book *lossBook) *sweeper {
	return &sweeper{
		kernel: kernel, processes: processes, book: book, logger: settings.Logger,
		hasEnded: goroutine.Ended,
		// There is room for the only look that goes on: a shutdown does not wait for it.
		looked: make(chan look, 1),
	}
}

// sweepProcesses removes the operations that ended processes left behind.
func (s *sweeper) sweepProcesses(now time.Time) {
	due, early := s.processes.registry.unswept(now)
	if len(due) == 0 {
		return
	}
	n, whole, err := s.kernel.Sweep(func(pid int, generation uint32) bool {
		return !s.kernel.Traces(pid, generation) && !early[processKey{uint32(pid), generation}]
	})
	s.book.countSwept(n, LostUnfinished)
	if err != nil {
		s.logger.Error("The operations of ended processes cannot be removed", zap.Error(err))
	}
	if whole {
		s.processes.registry.swept(due)
	}
}

// lookAtGoroutines begins to look, in the background, whether the goroutines of operations have
// ended. The channel brings the findings. Nothing begins while an earlier look goes on.
func (s *sweeper) lookAtGoroutines() {
	if s.looking {
		return
	}
	suspects := s.suspects()
	if len(suspects) == 0 {
		return
	}
	s.looking = true
	go func() { s.looked <- s.lookAt(suspects) }()
}

// suspects are the operations whose goroutine may have ended, each with where its release of Go has
// what is asked of a goroutine.
func (s *sweeper) suspects() map[attach.Operation]plan.Goroutine {
	old := uint64(max(sinceBoot()-int64(goroutineInterval), 0))
	suspects := map[attach.Operation]plan.Goroutine{}
	s.sweepOperations(func(o attach.Operation) bool {
		if o.G == 0 || o.Start == 0 || o.Start > old {
			return false
		}
		p := s.processes.tracedBy(processKey{uint32(o.PID), o.Generation})
		if p != nil && p.executable.goroutine != nil {
			suspects[o] = *p.executable.goroutine
		}
		return false
	})
	return suspects
}

// lookAt reads the memory of targets, which takes as long as they make it take.
func (s *sweeper) lookAt(suspects map[attach.Operation]plan.Goroutine) look {
	found := look{ended: map[attach.Operation]bool{}, unread: map[attach.Operation]error{}}
	for o, at := range suspects {
		select {
		case <-s.stop:
			return found
		default:
		}
		ended, err := s.hasEnded(o.PID, o.G, o.Goroutine, at)
		if err != nil {
			found.unread[o] = err
		}
		if ended {
			found.ended[o] = true
		}
	}
	return found
}

// sweepGoroutines removes the operations whose goroutine has ended.
func (s *sweeper) sweepGoroutines(found look) {
	s.looking = false
	for o, err := range found.unread {
		s.logger.Debug("A goroutine cannot be looked at; the operation that it began is left alone",
			zap.Int("pid", o.PID), zap.Error(err))
	}
	if len(found.ended) > 0 {
		s.sweepOperations(func(o attach.Operation) bool { return found.ended[o] })
	}
}

func (s *sweeper) sweepOperations(gone func(attach.Operation) bool) {
	n, _, err := s.kernel.SweepOperations(gone)
	s.book.countSwept(n, LostUnfinished)
	if err != nil {
		s.logger.Error("The operations of ended goroutines cannot be removed", zap.Error(err))
	}
}
