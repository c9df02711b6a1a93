//go:build linux && (amd64 || arm64)

package engine

import (
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/internal/model"
)

func TestThatThereIsNothingToTraceInAFileIsRememberedForAWhile(t *testing.T) {
	for name, test := range map[string]struct {
		binary traced
		others int // files that are known
		kept   bool
	}{
		"what follows from the file":          {binary: traced{state: stateFailed, settled: true}, kept: true},
		"after a while":                       {binary: traced{state: stateFailed, settled: true, idleSince: time.Now().Add(-idleTime - time.Second)}},
		"among very many":                     {binary: traced{state: stateFailed, settled: true}, others: maxRemembered},
		"what may be otherwise the next time": {binary: traced{state: stateFailed}},
		"what was not looked at":              {binary: traced{state: stateNew}},
		"what somebody runs":                  {binary: traced{state: stateFailed, processes: map[int]*running{7: {}}}, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			c := &controller{binaries: map[model.ExeID]*traced{}}
			for i := range test.others {
				c.binaries[model.ExeID{Ino: uint64(i + 2)}] = &traced{}
			}
			b := test.binary
			b.id = model.ExeID{Ino: 1}
			c.binaries[b.id] = &b
			c.dropIfUnused(&b)
			if _, kept := c.binaries[b.id]; kept != test.kept {
				t.Errorf("it is kept: %t", kept)
			}
		})
	}
}
