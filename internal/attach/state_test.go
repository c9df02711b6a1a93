package attach

import (
	"testing"

	"github.com/cilium/ebpf"

	"github.com/spanprobe/spanprobe/internal/wire"
)

// crowdedMap has the entry of a process that ends between an update and a lookup, if it ends.
type crowdedMap struct {
	there *wire.Process
	ends  bool
}

func (m *crowdedMap) Update(_, value any, flags ebpf.MapUpdateFlags) error {
	if m.there != nil && flags == ebpf.UpdateNoExist {
		if m.ends {
			m.there = nil
		}
		return ebpf.ErrKeyExist
	}
	p := value.(wire.Process)
	m.there = &p
	return nil
}

func (m *crowdedMap) Lookup(_, valueOut any) error {
	if m.there == nil {
		return ebpf.ErrKeyNotExist
	}
	*valueOut.(*wire.Process) = *m.there
	return nil
}

func TestTheEntryThatTheKernelMadeStays(t *testing.T) {
	wanted := wire.Process{Generation: 7, Binary: 3}
	for name, c := range map[string]struct {
		there *wire.Process
		ends  bool
		want  wire.Process
	}{
		"none is there":                   {want: wanted},
		"of this file":                    {&wire.Process{Generation: 5, Binary: 3}, false, wire.Process{Generation: 5, Binary: 3}},
		"of another file":                 {&wire.Process{Generation: 5, Binary: 4}, false, wanted},
		"of a process that has ended now": {&wire.Process{Generation: 5, Binary: 3}, true, wanted},
	} {
		m := &crowdedMap{c.there, c.ends}
		got, err := trace(m, 1, wanted)
		if err != nil || got != c.want || m.there == nil || *m.there != c.want {
			t.Errorf("%s: %+v, %v; the map has %+v, want %+v", name, got, err, m.there, c.want)
		}
	}
}
