//go:build linux && (amd64 || arm64)

package engine

import (
	"errors"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/internal/wire"
)

const (
	// lossLogInterval is how often losses are logged at the most. The metrics count them all.
	lossLogInterval = 10 * time.Second
	// overrunTime is how long a lack of room stays in the status.
	overrunTime = 30 * time.Second
)

// lossLog says in the log which operations gave no span.
type lossLog struct {
	logger *zap.Logger
	stats  func() (Stats, error)

	seen     map[LostReason]uint64 // when it last looked
	unlogged map[LostReason]uint64 // since the last line in the log
	lostBy   map[wire.Loss]uint64  // when it last logged
	logged   time.Time
	overrun  time.Time // when room was last lacking
}

func newLossLog(settings Settings, stats func() (Stats, error)) *lossLog {
	return &lossLog{
		logger: settings.Logger, stats: stats,
		seen:     map[LostReason]uint64{},
		unlogged: map[LostReason]uint64{},
		lostBy:   map[wire.Loss]uint64{},
	}
}

// look takes in what was lost since it last looked.
func (l *lossLog) look(now time.Time) {
	stats, err := l.stats()
	if err != nil {
		l.logger.Error("The counters cannot be read", zap.Error(err))
		return
	}
	for reason, n := range stats.Lost {
		if n == l.seen[reason] {
			continue
		}
		l.unlogged[reason] += n - l.seen[reason]
		l.seen[reason] = n
		if reason == LostRingBufferFull || reason == LostActiveSpansFull {
			l.overrun = now
		}
	}
	if len(l.unlogged) == 0 || now.Sub(l.logged) < lossLogInterval {
		return
	}
	fields := make([]zap.Field, 0, len(l.unlogged)+1)
	for reason, n := range l.unlogged {
		fields = append(fields, zap.Uint64(string(reason), n))
	}
	fields = append(fields, zap.Strings("services", l.services(stats.LostOf)))
	clear(l.unlogged)
	l.logged = now
	l.logger.Warn("Operations gave no span; see the receiver's metrics", fields...)
}

// services are those that have lost something since the last line.
func (l *lossLog) services(now map[wire.Loss]uint64) []string {
	services := map[string]bool{}
	for loss, n := range now {
		if n != l.lostBy[loss] && loss.Service != "" {
			services[loss.Service] = true
		}
	}
	l.lostBy = now
	return slices.Sorted(maps.Keys(services))
}

var errOverrun = errors.New("spans are lost for want of room: see the metrics, " +
	"and raise ring_buffer_size or max_active_spans")

// lackOfRoom is errOverrun while room was lacking lately.
func (l *lossLog) lackOfRoom(now time.Time) error {
	if l.overrun.IsZero() || now.Sub(l.overrun) >= overrunTime {
		return nil
	}
	return errOverrun
}
