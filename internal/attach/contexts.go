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
	const size = int(unsafe.Sizeof(wire.SpanSet{}))
	memory, err := unix.Mmap(contexts.FD(), 0, int(contexts.MaxEntries())*size,
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map the contexts of spans: %w", err)
	}
	ids := map[uint64]bool{}
	for id := range ended {
		ids[id&^wayStates] = true
	}
	for at := 0; at < len(memory); at += size {
		set := (*wire.SpanSet)(unsafe.Pointer(&memory[at]))
		for n := range set.Ways {
			word := &set.Ways[n].State
			state := atomic.LoadUint64(word)
			if state&wayStates == uint64(wire.WayActive) && ids[state&^wayStates] {
				atomic.CompareAndSwapUint64(word, state, state&^wayStates|uint64(wire.WayEnded))
			}
		}
	}
	if err := unix.Munmap(memory); err != nil {
		return fmt.Errorf("unmap the contexts of spans: %w", err)
	}
	return nil
}

// wayStates are the bits of a place's state that are not of its span's id.
const wayStates = uint64(wire.WayStates) - 1
