//go:build linux && (amd64 || arm64)

package engine

import "slices"

// indexes hands out the numbers by which the programs know the attached executables, 0 to
// maxBinaries-1.
type indexes struct {
	returned []uint32
	next     uint32
}

// left tells whether there is one to take.
func (x *indexes) left() bool { return len(x.returned) > 0 || x.next < maxBinaries }

// take takes one, of which there must be one left.
func (x *indexes) take() uint32 {
	if n := len(x.returned); n > 0 {
		index := x.returned[n-1]
		x.returned = x.returned[:n-1]
		return index
	}
	x.next++
	return x.next - 1
}

func (x *indexes) give(index uint32) {
	if !slices.Contains(x.returned, index) {
		x.returned = append(x.returned, index)
	}
}
