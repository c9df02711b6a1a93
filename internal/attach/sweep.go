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
	Goroutine  uint64 // id of the goroutine that it began on
	G          uint64 // address of that one's runtime.g; 0: the operation outlives it
}

// Swept counts the operations that a sweep has removed.
type Swept struct {
	Unfinished int // there will be no span of them
	NotSampled int // there was to be none
}

// Sweep removes the operations in flight of the programs for which gone is true, and
// the entries that were kept for others to come. It returns how many operations there were,
// and whether it saw all: a map that changes much under a walk makes it
// start over.
func (k *Kernel) Sweep(
	gone func(pid int, generation uint32) bool,
) (removed Swept, whole bool, err error) {
	return k.sweep(func(_ *ebpf.Map, key wire.OperationKey) (bool, error) {
		return gone(int(key.Tgid), key.Generation), nil
	})
}

// SweepOperations does the same, and looks at each operation, which takes longer.
func (k *Kernel) SweepOperations(gone func(Operation) bool) (removed Swept, whole bool, err error) {
	return k.sweep(func(m *ebpf.Map, key wire.OperationKey) (bool, error) {
		value, err := m.LookupBytes(&key)
		if err != nil || value == nil {
			return false, err // nil: it has ended
		}
		head, err := wire.ParseHead(value)
		if err != nil {
			return false, err
		}
		return gone(Operation{
			PID:        int(key.Tgid),
			Generation: key.Generation,
			Start:      head.Start,
			Goroutine:  head.Goid,
			G:          head.G,
		}), nil
	})
}

func (k *Kernel) sweep(
	gone func(*ebpf.Map, wire.OperationKey) (bool, error),
) (removed Swept, whole bool, err error) {
	whole = true
	var errs []error
	ended := map[uint64]bool{}
	for _, library := range k.libraries {
		if library.Auxiliary() {
			continue // it has no operations
		}
		operations, all, err := sweepMap(
			library.objects.Maps[wire.MapOperations], library.objects.Maps[wire.MapKept], gone,
		)
		for _, head := range operations {
			if head.Sampled() {
				removed.Unfinished++
			} else {
				removed.NotSampled++
			}
			ended[binary.NativeEndian.Uint64(head.SpanId[:])] = true
		}
		whole = whole && all
		errs = append(errs, err)
	}
	errs = append(errs, endContexts(k.process.Maps[wire.MapSpanContexts], ended))
	return removed, whole, errors.Join(errs...)
}

func sweepMap(
	m, kept *ebpf.Map, gone func(*ebpf.Map, wire.OperationKey) (bool, error),
) (removed []wire.SpanHead, whole bool, err error) {
	var stale []wire.OperationKey
	var key, previous wire.OperationKey
	from := any(nil)
	for range 2 * m.MaxEntries() { // a walk that starts over is bounded
		err := m.NextKey(from, &key)
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			whole = true
			break
		}
		if err != nil {
			return nil, false, fmt.Errorf("walk the operations in flight: %w", err)
		}
		is, err := gone(m, key)
		if err != nil {
			return nil, false, fmt.Errorf("look at an operation in flight: %w", err)
		}
		if is {
			stale = append(stale, key)
		}
		previous = key
		from = &previous
	}
	removed, keptOnes, err := removeAll(m, stale)
	return removed, whole, errors.Join(err, noteSwept(kept, keptOnes))
}

// removeAll removes entries, and returns the heads of those that were of operations, and
// how many were kept or to be kept.
func removeAll(
	m *ebpf.Map, stale []wire.OperationKey,
) (operations []wire.SpanHead, kept uint64, err error) {
	value := make([]byte, m.ValueSize())
	for _, key := range stale {
		err := m.LookupAndDelete(&key, value)
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			continue
		}
		if err != nil {
			return operations, kept, fmt.Errorf("remove an operation: %w", err)
		}
		head, err := wire.ParseHead(value)
		if err != nil {
			return operations, kept, fmt.Errorf("read an operation: %w", err)
		}
		keeping := wire.Keeping(head.Keeping)
		if keeping != wire.KeepingIdle {
			operations = append(operations, head)
		}
		if keeping != wire.KeepingNot {
			kept++
		}
	}
	return operations, kept, nil
}

// noteSwept tells the programs how many of the entries that they keep are gone.
func noteSwept(kept *ebpf.Map, n uint64) error {
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
