//go:build linux && (amd64 || arm64)

package engine

import (
	"path/filepath"
	"time"

	"go.uber.org/zap"
)

// entryCheck says once, some time after the start, which entries of the configuration have made
// no process a target: a mistake in an entry is silent otherwise. It belongs to the controller's
// goroutine. Only links are followed outside of that.
type entryCheck struct {
	logger  *zap.Logger
	targets []Target
	matched map[int]bool // indexes of entries; nil once it was looked which have matched nothing

	follow    func(path string) (string, error)
	unmatched chan unmatchedEntry // there is room for all: a shutdown waits for none
}

// unmatchedEntry is an entry that has made no process a target.
type unmatchedEntry struct {
	index   int
	linksTo string // where its path leads, if that is another one
}

func newEntryCheck(config Config, settings Settings) *entryCheck {
	return &entryCheck{
		logger: settings.Logger, targets: config.Targets, matched: map[int]bool{},
		follow:    filepath.EvalSymlinks,
		unmatched: make(chan unmatchedEntry, len(config.Targets)),
	}
}

// match notes that an entry has made a process a target.
func (e *entryCheck) match(entry int) {
	if e.matched != nil {
		e.matched[entry] = true
	}
}

// look looks which entries have matched nothing so far, the first time that it is called. The
// channel brings them.
func (e *entryCheck) look() {
	if e.matched == nil {
		return
	}
	var found []unmatchedEntry
	for i := range e.targets {
		if !e.matched[i] {
			found = append(found, unmatchedEntry{index: i})
		}
	}
	e.matched = nil
	go func() {
		for _, entry := range found {
			entry.linksTo = e.linksTo(e.targets[entry.index].Exe)
			e.unmatched <- entry
		}
	}()
}

// linkTime is how long a link may take to be followed.
const linkTime = time.Second

// linksTo gives the path to which a path leads, if that is another one. A file system that does not
// answer takes as long as it likes, and nothing ends that: then the path counts as no link.
func (e *entryCheck) linksTo(path string) string {
	followed := make(chan string, 1)
	go func() {
		to, err := e.follow(path)
		if err != nil {
			to = path
		}
		followed <- to
	}()
	select {
	case to := <-followed:
		if to != path {
			return to
		}
	case <-time.After(linkTime):
	}
	return ""
}

// report says that an entry has matched nothing so far.
func (e *entryCheck) report(entry unmatchedEntry) {
	target := e.targets[entry.index]
	fields := []zap.Field{zap.Int("entry", entry.index)}
	if target.Exe != "" {
		fields = append(fields, zap.String("exe", target.Exe))
	}
	if entry.linksTo != "" {
		fields = append(fields, zap.String("links_to", entry.linksTo))
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
