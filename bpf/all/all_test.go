package all

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Without one, recent kernels have programs on one processor share a stack: see
// stay_on_own_stack in bpf/include/process.h.
func TestEveryUprobeProgramHasATailCall(t *testing.T) {
	for _, library := range Libraries() {
		spec, err := library.Load()
		if err != nil {
			t.Fatal(err)
		}
		programs := 0
		for name, program := range spec.Programs {
			if program.Type != ebpf.Kprobe {
				continue
			}
			programs++
			found := false
			for i, instruction := range program.Instructions {
				if i > 0 && instruction.Symbol() != "" {
					break // a function of its own
				}
				found = found || instruction.IsBuiltinCall() && instruction.Constant == int64(asm.FnTailCall)
			}
			if !found {
				t.Errorf("%s: %s has none", library.Name, name)
			}
		}
		if programs == 0 {
			t.Errorf("%s has no programs", library.Name)
		}
	}
}
