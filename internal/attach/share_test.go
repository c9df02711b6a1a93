package attach

import "testing"

// alone is how many operations a process gets that is alone: count_in of bpf/include/operation.h.
func (r room) alone() (n uint64) {
	for n < r.share || n-r.share < r.pool && n-r.share < 8*(r.pool-(n-r.share)) {
		n++
	}
	return n
}

func TestAProcessAloneGetsTheRoomThatIsConfigured(t *testing.T) {
	for operations := 1; operations <= 1<<20; operations += 1 + operations/50 {
		for _, keeps := range []bool{false, true} {
			r := roomFor(operations, keeps)
			want := uint64(operations) + r.kept
			if got := r.alone(); got != want {
				t.Errorf("%+v is room for %d operations of one process, want %d", r, got, want)
			}
		}
	}
}

func TestTheMapHasRoomForThePoolAndForShares(t *testing.T) {
	r := roomFor(16384, false)
	if shares := (uint64(r.entries) - r.pool) / r.share; shares != 16 {
		t.Errorf("beside the pool, %+v has room for the shares of %d processes", r, shares)
	}
}
