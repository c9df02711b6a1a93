//go:build linux && (amd64 || arm64)

package engine

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/internal/discover"
)

const (
	// lossLogInterval is how often losses are logged at the most; the metrics
	// count them all.
	lossLogInterval = 10 * time.Second
	// overrunTime is how long a lack of room stays in the status.
	overrunTime = 30 * time.Second
)

// noteLosses looks at what was lost since it last looked.
func (c *controller) noteLosses(now time.Time) {
	stats, err := c.stats()
	if err != nil {
		c.settings.Logger.Error("The counters cannot be read", zap.Error(err))
		return
	}
	for reason, n := range stats.Lost {
		if n == c.lost[reason] {
			continue
		}
		c.unlogged[reason] += n - c.lost[reason]
		c.lost[reason] = n
		if reason == LostRingBufferFull || reason == LostActiveSpansFull {
			c.overrun = now
		}
	}
	if len(c.unlogged) == 0 || now.Sub(c.logged) < lossLogInterval {
		return
	}
	fields := make([]zap.Field, 0, len(c.unlogged))
	for reason, n := range c.unlogged {
		fields = append(fields, zap.Uint64(string(reason), n))
	}
	clear(c.unlogged)
	c.logged = now
	c.settings.Logger.Warn("Operations gave no span; see the receiver's metrics", fields...)
}

// reportStatus reports on change whether all is well.
func (c *controller) reportStatus() {
	err := c.trouble(time.Now())
	if (err != nil) == c.reported {
		return
	}
	c.reported = err != nil
	c.settings.Status(err)
}

// trouble joins what is not well now.
func (c *controller) trouble(now time.Time) error {
	var errs []error
	if err := c.readFailed.Load(); err != nil {
		errs = append(errs, *err)
	}
	if !c.overrun.IsZero() && now.Sub(c.overrun) < overrunTime {
		errs = append(errs, errors.New("spans are lost for want of room: see the metrics, and raise ring_buffer_size or max_active_spans"))
	}
	for _, t := range c.binaries {
		if t.failure == nil {
			continue
		}
		for _, r := range t.processes {
			errs = append(errs, fmt.Errorf("%s: %w", r.process.Exe, t.failure))
			break
		}
	}
	return errors.Join(errs...)
}

// tellUnmatched tells once, some time after the start, which entries have made no
// process a target: a mistake in one is silent otherwise.
func (c *controller) tellUnmatched() {
	if c.matched == nil {
		return
	}
	for i, target := range c.config.Targets {
		if c.matched[i] {
			continue
		}
		fields := []zap.Field{zap.Int("entry", i)}
		if target.Exe != "" {
			fields = append(fields, zap.String("exe", target.Exe))
			if resolved, err := filepath.EvalSymlinks(target.Exe); err == nil && resolved != target.Exe {
				fields = append(fields, zap.String("links_to", resolved))
			}
		}
		if target.Port != 0 {
			fields = append(fields, zap.Uint16("port", uint16(target.Port)))
		}
		if target.PID != 0 {
			fields = append(fields, zap.Int("pid", target.PID))
		}
		c.settings.Logger.Info("A target entry has made no process a target so far: none matches, or an earlier entry or an exclusion matches first; one that appears later is traced then", fields...)
	}
	c.matched = nil
}

// note notes that an entry has matched.
func (c *controller) note(match discover.Match) {
	if c.matched != nil {
		c.matched[match.Target] = true
	}
}
