package attach

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"github.com/spanprobe/spanprobe/internal/wire"
)

// Operation is an operation in flight.
type Operation struct {
	PID        int
	Generation uint32
	Start      uint64 // CLOCK_BOOTTIME, ns
	Goroutine  uint64 // id of the goroutine that the operation began on
	G          uint64 // address of that goroutine's runtime.g; 0: the operation outlives it
}

// Swept counts the operations whose entries a sweep has released.
type Swept struct {
	Unfinished map[wire.ProcessKey]int // lost: their spans would have been sent
	NotSampled int                     // they would have had no span
}

// selection tells whether a sweep releases an entry of a map of operations in flight.
type selection func(operations *ebpf.Map, key wire.OperationKey) (bool, error)

// Sweep releases the entries of the processes for which gone is true: those of operations in
// flight, and those that are kept for operations to come. It returns how many operations there
// were. whole is false if it did not see all: a walk starts over when its map changes much.
func (k *Kernel) Sweep(
	gone func(pid int, generation uint32) bool,
) (swept Swept, whole bool, err error) {
	return k.sweep(func(_ *ebpf.Map, key wire.OperationKey) (bool, error) {
		return gone(int(key.Tgid), key.Generation), nil
	})
}

// SweepOperations does the same, and looks at each operation, which takes longer.
func (k *Kernel) SweepOperations(gone func(Operation) bool) (swept Swept, whole bool, err error) {
	return k.sweep(func(operations *ebpf.Map, key wire.OperationKey) (bool, error) {
		value, err := operations.LookupBytes(&key)
		if err != nil || value == nil {
			return false, err // nil: the operation has ended
		}
		head, err := wire.ParseHead(value)
		if err != nil {
			return false, err
		}
		return gone(Operation{
			PID: int(key.Tgid), Generation: key.Generation,
			Start: head.Start, Goroutine: head.Goid, G: head.G,
		}), nil
	})
}

func (k *Kernel) sweep(selected selection) (swept Swept, whole bool, err error) {
	whole = true
	swept.Unfinished = map[wire.ProcessKey]int{}
	var errs []error
	ended := map[uint64]bool{}
	for _, library := range k.libraries {
		if library.Auxiliary() {
			continue // it has no operations
		}
		maps := library.objects.Maps
		heads, released, all, err := sweepMap(
			maps[wire.MapOperations], maps[wire.MapKept], selected,
		)
		errs = append(errs, countOut(
			maps[wire.MapInFlight], maps[wire.MapBeyond], k.seed, library.room.share, released,
		))
		for _, head := range heads {
			if head.Sampled() {
				swept.Unfinished[wire.ProcessKey{Tgid: head.Tgid, Generation: head.Generation}]++
			} else {
				swept.NotSampled++
			}
			ended[binary.NativeEndian.Uint64(head.SpanId[:])] = true
		}
		whole = whole && all
		errs = append(errs, err)
	}
	errs = append(errs, endContexts(k.process.Maps[wire.MapSpanContexts], ended))
	return swept, whole, errors.Join(errs...)
}

// sweepMap releases the selected entries of one library. It returns the heads of the operations
// among them, and the keys of all.
func sweepMap(
	operations, kept *ebpf.Map, selected selection,
) (heads []wire.SpanHead, released []wire.OperationKey, whole bool, err error) {
	var stale []wire.OperationKey
	var key, previous wire.OperationKey
	from := any(nil)
	for range 2 * operations.MaxEntries() { // a walk that starts over is bounded
		err := operations.NextKey(from, &key)
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			whole = true
			break
		}
		if err != nil {
			return nil, nil, false, fmt.Errorf("walk the operations in flight: %w", err)
		}
		is, err := selected(operations, key)
		if err != nil {
			return nil, nil, false, fmt.Errorf("look at an operation in flight: %w", err)
		}
		if is {
			stale = append(stale, key)
		}
		previous = key
		from = &previous
	}
	heads, released, keptOnes, err := release(operations, stale)
	return heads, released, whole, errors.Join(err, addSwept(kept, keptOnes))
}

// release releases entries, and returns their keys. Of those that were of operations in flight it
// returns the heads. It counts the entries that were kept, or to be kept.
func release(
	operations *ebpf.Map, stale []wire.OperationKey,
) (heads []wire.SpanHead, released []wire.OperationKey, kept uint64, err error) {
	value := make([]byte, operations.ValueSize())
	for _, key := range stale {
		err := operations.LookupAndDelete(&key, value)
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			continue // a program was faster
		}
		if err != nil {
			return heads, released, kept, fmt.Errorf("release an operation: %w", err)
		}
		released = append(released, key)
		head, err := wire.ParseHead(value)
		if err != nil {
			return heads, released, kept, fmt.Errorf("read an operation: %w", err)
		}
		keeping := wire.Keeping(head.Keeping)
		if keeping != wire.KeepingIdle {
			heads = append(heads, head)
		}
		if keeping != wire.KeepingNot {
			kept++
		}
	}
	return heads, released, kept, nil
}

// addSwept tells the programs how many of the entries that they keep a sweep has released.
func addSwept(kept *ebpf.Map, n uint64) error {
	if n == 0 {
		return nil
	}
	var swept uint64
	if err := kept.Lookup(wire.KeptAndSwept, &swept); err != nil {
		return fmt.Errorf("count the entries that were kept: %w", err)
	}
	if err := kept.Update(wire.KeptAndSwept, swept+n, ebpf.UpdateExist); err != nil {
		return fmt.Errorf("count the entries that were kept: %w", err)
	}
	return nil
}
