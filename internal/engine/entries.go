//go:build linux && (amd64 || arm64)

package engine

import (
	"path/filepath"

	"go.uber.org/zap"
)

// entryCheck says once, some time after the start, which entries of the configuration have made
// no process a target: a mistake in an entry is silent otherwise.
type entryCheck struct {
	logger  *zap.Logger
	targets []Target
	matched map[int]bool // indexes of entries; nil once it was said which have matched nothing
}

func newEntryCheck(config Config, settings Settings) *entryCheck {
	return &entryCheck{
		logger: settings.Logger, targets: config.Targets, matched: map[int]bool{},
	}
}

// match notes that an entry has made a process a target.
func (e *entryCheck) match(entry int) {
	if e.matched != nil {
		e.matched[entry] = true
	}
}

// report says which entries have matched nothing so far, the first time that it is called.
func (e *entryCheck) report() {
	if e.matched == nil {
		return
	}
	for i, target := range e.targets {
		if e.matched[i] {
			continue
		}
		fields := []zap.Field{zap.Int("entry", i)}
		if target.Exe != "" {
			fields = append(fields, zap.String("exe", target.Exe))
			resolved, err := filepath.EvalSymlinks(target.Exe)
			if err == nil && resolved != target.Exe {
				fields = append(fields, zap.String("links_to", resolved))
			}
		}
		if target.Port != 0 {
			fields = append(fields, zap.Uint16("port", uint16(target.Port)))
		}
		if target.PID != 0 {
			fields = append(fields, zap.Int("pid", target.PID))
		}
		e.logger.Info("A target entry has made no process a target so far: none matches, "+
			"or an earlier entry or an exclusion matches first; "+
			"one that appears later is traced then", fields...)
	}
	e.matched = nil
}
