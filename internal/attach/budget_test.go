package attach

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestProbesLeaveFilesForWhateverElseTheCollectorDoes(t *testing.T) {
	for limit, most := range map[uint64]int{
		fewestDescriptors: 78, 20000: 14886, 65536: 49038, unix.RLIM_INFINITY: 1 << 20,
	} {
		var b budget
		b.ofDescriptors(limit)
		if !b.take(most) || b.take(1) && limit != unix.RLIM_INFINITY {
			t.Errorf("of %d files, probes have another number than %d", limit, most)
		}
		b.give(2)
		if b.take(3) && limit != unix.RLIM_INFINITY || !b.take(2) {
			t.Errorf("of %d files, those that were given back are not there", limit)
		}
	}
}
