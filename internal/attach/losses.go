package attach

import (
	"fmt"

	"github.com/spanprobe/spanprobe/internal/wire"
)

// Losses gives what each process has lost so far, if it has lost anything.
func (k *Kernel) Losses() (map[wire.ProcessKey]wire.LostOperations, error) {
	all := map[wire.ProcessKey]wire.LostOperations{}
	var key wire.ProcessKey
	var lost wire.LostOperations
	entries := k.process.Maps[wire.MapLosses].Iterate()
	for entries.Next(&key, &lost) {
		all[key] = lost
	}
	if err := entries.Err(); err != nil {
		return nil, fmt.Errorf("read the losses of processes: %w", err)
	}
	return all, nil
}

// TakeLosses gives what a process has lost, and makes room for the losses of another. What it loses
// later counts from zero.
func (k *Kernel) TakeLosses(key wire.ProcessKey) (lost wire.LostOperations, _ error) {
	if err := k.process.Maps[wire.MapLosses].LookupAndDelete(&key, &lost); err != nil {
		return lost, fmt.Errorf("release the losses of process %d: %w", key.Tgid, err)
	}
	return lost, nil
}
