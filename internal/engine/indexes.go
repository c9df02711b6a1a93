//go:build linux && (amd64 || arm64)

package engine

import (
	"slices"
)

// indexes hands out the numbers by which the programs know the attached
// binaries, 0 to maxBinaries-1.
type indexes struct {
	free []uint32
	next uint32
}

func (x *indexes) take() (uint32, bool) {
	if n := len(x.free); n > 0 {
		index := x.free[n-1]
		x.free = x.free[:n-1]
		return index, true
	}
	if x.next == maxBinaries {
		return 0, false
	}
	x.next++
	return x.next - 1, true
}

func (x *indexes) give(index uint32) {
	if !slices.Contains(x.free, index) {
		x.free = append(x.free, index)
	}
}
