package all

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/offsets"
)

// Names of libraries, of programs and of slots that are wrong would do nothing, in silence.
func TestLibrariesFitTogether(t *testing.T) {
	if err := probe.Check(Libraries()); err != nil {
		t.Error(err)
	}
}

func TestEveryModuleHasARule(t *testing.T) {
	rules, err := Rules()
	if err != nil {
		t.Fatal(err)
	}
	needed := map[string]bool{}
	for _, field := range probe.Fields(Libraries()) {
		needed[field.Module] = true
		if len(rules[field.Module].Programs) == 0 {
			t.Errorf("no rule says which versions of %s to examine, and with what program",
				field.Module)
		}
	}
	for module := range rules {
		if !needed[module] {
			t.Errorf("there is a rule of %s, of which no field is needed", module)
		}
	}
}

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
				found = found ||
					instruction.IsBuiltinCall() && instruction.Constant == int64(asm.FnTailCall)
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

// A field that the table lacks is taken from debug information, which the programs of most users do
// not have.
func TestTheTableHasEveryFieldThatIsLookedUp(t *testing.T) {
	for _, field := range probe.Fields(Libraries()) {
		if !probe.InTable(field) {
			continue
		}
		newest := offsets.Default().Newest(field.Module)
		for _, arch := range []model.Arch{model.AMD64, model.ARM64} {
			if _, _, known := offsets.Default().Lookup(field.Module, newest, arch, field); !known {
				t.Errorf(
					"%s is not known in %s %s on %s: `make offsets`",
					field,
					field.Module,
					newest,
					arch,
				)
			}
		}
	}
}
