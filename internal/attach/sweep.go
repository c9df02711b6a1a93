package attach

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/spanprobe/spanprobe/bpf/process"
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
func (k *Kernel) Sweep(gone func(pid int, generation uint32) bool) (removed Swept, whole bool, err error) {
	return k.sweep(func(_ *ebpf.Map, key process.OperationKey) (bool, error) {
		return gone(int(key.Tgid), key.Generation), nil
	})
}

// SweepOperations does the same, and looks at each operation, which takes longer.
func (k *Kernel) SweepOperations(gone func(Operation) bool) (removed Swept, whole bool, err error) {
	return k.sweep(func(m *ebpf.Map, key process.OperationKey) (bool, error) {
		value, err := m.LookupBytes(&key)
		if err != nil || len(value) < int(unsafe.Sizeof(process.SpanHead{})) {
			return false, err // nil: it has ended
		}
		var head process.SpanHead
		return gone(Operation{
			PID: int(key.Tgid), Generation: key.Generation,
			Start:     binary.LittleEndian.Uint64(value[unsafe.Offsetof(head.Start):]),
			Goroutine: binary.LittleEndian.Uint64(value[unsafe.Offsetof(head.Goid):]),
			G:         binary.LittleEndian.Uint64(value[unsafe.Offsetof(head.G):]),
		}), nil
	})
}

func (k *Kernel) sweep(gone func(*ebpf.Map, process.OperationKey) (bool, error)) (removed Swept, whole bool, err error) {
	whole = true
	var errs []error
	ended := map[uint64]bool{}
	for _, library := range k.libraries {
		if library.Auxiliary() {
			continue // it has no operations
		}
		operations, all, err := sweepMap(library.objects.Maps[mapOperations], library.objects.Maps[mapKept], gone)
		for _, head := range operations {
			if head.Flags&process.FlagSampled == 0 {
				removed.NotSampled++
			} else {
				removed.Unfinished++
			}
			ended[binary.NativeEndian.Uint64(head.SpanId[:])] = true
		}
		whole = whole && all
		errs = append(errs, err)
	}
	errs = append(errs, endContexts(k.process.Maps[mapSpanContexts], ended))
	return removed, whole, errors.Join(errs...)
}

func sweepMap(m, kept *ebpf.Map, gone func(*ebpf.Map, process.OperationKey) (bool, error)) (removed []process.SpanHead, whole bool, err error) {
	var stale []process.OperationKey
	var key, previous process.OperationKey
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
func removeAll(m *ebpf.Map, stale []process.OperationKey) (operations []process.SpanHead, kept uint64, err error) {
	value := make([]byte, m.ValueSize())
	for _, key := range stale {
		err := m.Lookup(&key, value)
		if err == nil {
			err = m.Delete(&key)
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			continue
		}
		if err != nil {
			return operations, kept, fmt.Errorf("remove an operation: %w", err)
		}
		var head process.SpanHead
		if _, err := binary.Decode(value, binary.NativeEndian, &head); err != nil {
			return operations, kept, fmt.Errorf("read an operation: %w", err)
		}
		keeping := process.Keeping(head.Keeping)
		if keeping != process.KeepingIdle {
			operations = append(operations, head)
		}
		if keeping != process.KeepingNot {
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
	if err := kept.Lookup(process.KeptAndSwept, &swept); err != nil {
		return fmt.Errorf("count the entries that were kept: %w", err)
	}
	if err := kept.Update(process.KeptAndSwept, swept+n, ebpf.UpdateExist); err != nil {
		return fmt.Errorf("count the entries that were kept: %w", err)
	}
	return nil
}
