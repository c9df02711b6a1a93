//go:build linux && (amd64 || arm64)

package engine

import (
	"errors"
	"sync/atomic"
)

// health reports whether all is well, whenever that changes.
type health struct {
	status   func(error)
	impaired bool // the last report was an error
	reader   atomic.Pointer[error]
}

// readerFailed notes that a ring buffer cannot be read any more, and stays so. It may be called
// from any goroutine.
func (h *health) readerFailed(err error) { h.reader.Store(&err) }

// report takes in what is not well now: nil for what is.
func (h *health) report(problems ...error) {
	if err := h.reader.Load(); err != nil {
		problems = append([]error{*err}, problems...)
	}
	err := errors.Join(problems...)
	if (err != nil) == h.impaired {
		return
	}
	h.impaired = err != nil
	h.status(err)
}
