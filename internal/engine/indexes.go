//go:build linux && (amd64 || arm64)

package engine

import (
	"slices"
	"sync"
)

// indexes hands out the numbers by which the programs know the attached executables, 0 to
// maxBinaries-1. Safe for concurrent use.
type indexes struct {
	mu       sync.Mutex
	returned []uint32
	next     uint32
}

// take takes one, if one is left.
func (x *indexes) take() (index uint32, left bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := len(x.returned); n > 0 {
		index = x.returned[n-1]
		x.returned = x.returned[:n-1]
		return index, true
	}
	if x.next == maxBinaries {
		return 0, false
	}
	x.next++
	return x.next - 1, true
}

func (x *indexes) give(index uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !slices.Contains(x.returned, index) {
		x.returned = append(x.returned, index)
	}
}
