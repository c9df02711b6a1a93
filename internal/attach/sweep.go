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
	Goroutine  uint64 // its id
	G          uint64 // address of its runtime.g; 0: the operation outlives the goroutine
}

// Sweep removes the operations in flight of the programs for which gone is true. It
// returns their number, and whether it saw all operations: a map that changes much
// under a walk makes it start over.
func (k *Kernel) Sweep(gone func(pid int, generation uint32) bool) (removed int, whole bool, err error) {
	return k.sweep(func(_ *ebpf.Map, key process.OperationKey) (bool, error) {
		return gone(int(key.Tgid), key.Generation), nil
	})
}

// SweepOperations does the same, and looks at each operation, which takes longer.
func (k *Kernel) SweepOperations(gone func(Operation) bool) (removed int, whole bool, err error) {
	return k.sweep(func(m *ebpf.Map, key process.OperationKey) (bool, error) {
		value, err := m.LookupBytes(&key)
		if err != nil || len(value) < int(unsafe.Sizeof(process.SpanHead{})) {
			return false, err // nil: it has ended
		}
		var head process.SpanHead
		return gone(Operation{
			PID: int(key.Tgid), Generation: key.Generation, Goroutine: key.Goid,
			Start: binary.LittleEndian.Uint64(value[unsafe.Offsetof(head.Start):]),
			G:     binary.LittleEndian.Uint64(value[unsafe.Offsetof(head.G):]),
		}), nil
	})
}

func (k *Kernel) sweep(gone func(*ebpf.Map, process.OperationKey) (bool, error)) (removed int, whole bool, err error) {
	whole = true
	var errs []error
	for _, library := range k.libraries {
		n, all, err := sweepMap(library.objects.Maps[mapOperations], gone)
		removed += n
		whole = whole && all
		errs = append(errs, err)
	}
	return removed, whole, errors.Join(errs...)
}

func sweepMap(m *ebpf.Map, gone func(*ebpf.Map, process.OperationKey) (bool, error)) (removed int, whole bool, err error) {
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
			return 0, false, fmt.Errorf("walk the operations in flight: %w", err)
		}
		is, err := gone(m, key)
		if err != nil {
			return 0, false, fmt.Errorf("look at an operation in flight: %w", err)
		}
		if is {
			stale = append(stale, key)
		}
		previous = key
		from = &previous
	}
	for _, key := range stale {
		err := m.Delete(&key)
		if err == nil {
			removed++
		} else if !errors.Is(err, ebpf.ErrKeyNotExist) {
			return removed, whole, fmt.Errorf("remove an operation: %w", err)
		}
	}
	return removed, whole, nil
}
