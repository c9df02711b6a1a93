package attach

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/internal/wire"
)

// endContexts marks the contexts of spans, named by the words of their ids, as those of operations
// that have ended. An operation whose end no program has seen would keep its places for ever.
// Programs go on meanwhile, and know a place by its state (bpf/include/spanstore.h), which nobody
// else changes then.
func endContexts(contexts *ebpf.Map, ended map[uint64]bool) error {
	if len(ended) == 0 {
		return nil
	}
	sets, unmap, err := mapArray[wire.SpanSet](contexts)
	if err != nil {
		return fmt.Errorf("map the contexts of spans: %w", err)
	}
	ids := map[uint64]bool{}
	for id := range ended {
		ids[id&^wayStates] = true
	}
	for i := range sets {
		for n := range sets[i].Ways {
			word := &sets[i].Ways[n].State
			state := atomic.LoadUint64(word)
			if state&wayStates == uint64(wire.WayActive) && ids[state&^wayStates] {
				atomic.CompareAndSwapUint64(word, state, state&^wayStates|uint64(wire.WayEnded))
			}
		}
	}
	if err := unmap(); err != nil {
		return fmt.Errorf("unmap the contexts of spans: %w", err)
	}
	return nil
}

// mapArray maps the entries of an array that programs use at the same time.
func mapArray[T any](array *ebpf.Map) (entries []T, unmap func() error, err error) {
	n := int(array.MaxEntries())
	memory, err := unix.Mmap(array.FD(), 0, n*int(array.ValueSize()),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&memory[0])), n),
		func() error { return unix.Munmap(memory) }, nil
}

// wayStates are the bits of a place's state that are not of its span's id.
const wayStates = uint64(wire.WayStates) - 1
