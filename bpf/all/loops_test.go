package all

import (
	"testing"

	"github.com/cilium/ebpf/asm"
)

// Linux 6.1 takes a jump back, but no loop whose last instruction goes on into its first one
// (kernel/bpf/verifier.c, check_cfg: a fall through is no edge that may close a loop), which
// compilers arrange at will.
func TestEveryLoopIsClosedByAJump(t *testing.T) {
	for _, library := range Libraries() {
		spec, err := library.Load()
		if err != nil {
			t.Fatal(err)
		}
		for name, program := range spec.Programs {
			if at := fallsIntoLoop(t, program.Instructions); at >= 0 {
				t.Errorf("%s, %s: the loop of which instruction %d is the last, in %s", library.Name, name, at, functionAt(program.Instructions, at))
			}
		}
	}
}

// edge is a way from one instruction to another, in the order in which the kernel follows them.
type edge struct {
	to   int
	jump bool
}

// fallsIntoLoop finds an instruction that goes on into one that leads to it. -1: there is none.
func fallsIntoLoop(t *testing.T, instructions asm.Instructions) int {
	t.Helper()
	edges := map[int][]edge{}
	functions := map[string]int{}
	for it := instructions.Iterate(); it.Next(); {
		if symbol := it.Ins.Symbol(); symbol != "" {
			functions[symbol] = int(it.Offset)
		}
	}
	for it := instructions.Iterate(); it.Next(); {
		at, ins := int(it.Offset), it.Ins
		next := at + int(ins.Width())
		op := ins.OpCode.JumpOp()
		switch {
		case !ins.OpCode.Class().IsJump():
			edges[at] = []edge{{next, false}}
		case op == asm.Exit:
		case op == asm.Call:
			edges[at] = []edge{{next, false}}
			if ins.IsFunctionCall() {
				function, ok := functions[ins.Reference()]
				if !ok {
					t.Fatalf("no function %q", ins.Reference())
				}
				edges[at] = append(edges[at], edge{function, false})
			}
		case op == asm.Ja:
			edges[at] = []edge{{at + 1 + int(ins.Offset), true}}
		default:
			edges[at] = []edge{{next, true}, {at + 1 + int(ins.Offset), true}}
		}
	}
	const (
		open = 1
		done = 2
	)
	state := map[int]int{}
	var visit func(at int) int
	visit = func(at int) int {
		state[at] = open
		for _, e := range edges[at] {
			switch state[e.to] {
			case open:
				if !e.jump {
					return at
				}
			case 0:
				if bad := visit(e.to); bad >= 0 {
					return bad
				}
			}
		}
		state[at] = done
		return -1
	}
	return visit(0)
}

func functionAt(instructions asm.Instructions, at int) string {
	name := ""
	for it := instructions.Iterate(); it.Next() && int(it.Offset) <= at; {
		if symbol := it.Ins.Symbol(); symbol != "" {
			name = symbol
		}
	}
	return name
}
