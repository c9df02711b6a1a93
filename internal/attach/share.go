package attach

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cilium/ebpf"

	"github.com/spanprobe/spanprobe/internal/wire"
)

// room is the room for operations in flight in the map of one library: bpf/include/operation.h.
type room struct {
	entries uint32 // of the map
	kept    uint64 // entries between two operations, at most
	share   uint64 // of each process, whatever the others have
	pool    uint64 // for what processes need beyond their shares
}

// roomFor makes room for so many operations of one process. The pool is an eighth larger, since no
// process gets more than eight times of what it leaves. Entries beside the pool are for the shares:
// of sixteen processes if they use theirs up, and of hundreds that have a few operations each. The
// map takes memory for the entries that are in use.
func roomFor(operations int, keeps bool) room {
	n, r := uint64(operations), room{}
	r.share = n / 64
	if keeps {
		r.kept = n / 4
	}
	r.pool = (n + r.kept - r.share) * 9 / 8
	r.entries = uint32(r.pool + n/4)
	return r
}

// hashSeed are the secret words of hashes.
type hashSeed [2]uint64

// placeOf is where the tables have a process: process_place of bpf/include/process.h.
func (seed hashSeed) placeOf(pid, generation uint32) uint32 {
	mixed := func(x uint64) uint64 {
		x *= 0x9e3779b97f4a7c15
		return x ^ x>>32
	}
	word := uint64(generation)<<32 | uint64(pid)
	return uint32(mixed(mixed(seed[0]^word)+seed[1])) & (wire.ProcessTableSize - 1)
}

// countOut counts entries out that a sweep has released, as the programs do: count_out of
// bpf/include/operation.h.
func countOut(
	inFlight, beyondShares *ebpf.Map, seed hashSeed, share uint64, released []wire.OperationKey,
) (err error) {
	if len(released) == 0 {
		return nil
	}
	active, unmapActive, err := mapArray[uint64](inFlight)
	if err != nil {
		return fmt.Errorf("map the counts of operations in flight: %w", err)
	}
	defer func() { err = errors.Join(err, unmapActive()) }()
	beyond, unmapBeyond, err := mapArray[uint64](beyondShares)
	if err != nil {
		return fmt.Errorf("map the count of operations beyond shares: %w", err)
	}
	defer func() { err = errors.Join(err, unmapBeyond()) }()
	for _, key := range released {
		left := atomic.AddUint64(&active[seed.placeOf(key.Tgid, key.Generation)], ^uint64(0))
		if left >= share {
			atomic.AddUint64(&beyond[0], ^uint64(0))
		}
	}
	return nil
}
