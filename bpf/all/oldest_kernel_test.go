package all

import (
	"fmt"
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
				t.Errorf("%s, %s: the loop of which instruction %d is the last, in %s",
					library.Name, name, at, functionAt(program.Instructions, at))
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
		case ins.IsLoadOfFunctionPointer(): // for bpf_loop to call
			function, ok := functions[ins.Reference()]
			if !ok {
				t.Fatalf("no function %q", ins.Reference())
			}
			edges[at] = []edge{{next, false}, {function, false}}
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

// All frames of a chain of calls share one stack, of which Linux 6.1 gives each a multiple of 32
// bytes (kernel/bpf/verifier.c, check_max_stack_depth).
func TestEveryChainOfCallsFitsOnTheStack(t *testing.T) {
	const stack, frame = 512, 32
	for _, library := range Libraries() {
		spec, err := library.Load()
		if err != nil {
			t.Fatal(err)
		}
		for name, program := range spec.Programs {
			frames, calls := framesOf(program.Instructions)
			var deepest func(function string) (int, string)
			deepest = func(function string) (depth int, chain string) {
				for _, callee := range calls[function] {
					if d, c := deepest(callee); d > depth {
						depth, chain = d, c
					}
				}
				rounded := (max(frames[function], 1) + frame - 1) / frame * frame
				return depth + rounded, fmt.Sprintf("%s (%d) %s", function, rounded, chain)
			}
			if depth, chain := deepest(program.Instructions.Name()); depth > stack {
				t.Errorf("%s, %s: %d bytes: %s", library.Name, name, depth, chain)
			}
		}
	}
}

// framesOf finds how much of the stack each function uses, and which it calls.
func framesOf(instructions asm.Instructions) (frames map[string]int, calls map[string][]string) {
	frames, calls = map[string]int{}, map[string][]string{}
	function := ""
	onStack := map[asm.Register]bool{} // registers that hold the address of the frame's end
	for _, ins := range instructions {
		if symbol := ins.Symbol(); symbol != "" {
			function = symbol
		}
		lowest := 0
		switch class := ins.OpCode.Class(); {
		case class == asm.LdXClass && ins.Src == asm.R10, class.IsStore() && ins.Dst == asm.R10:
			lowest = int(ins.Offset)
		case class == asm.ALU64Class && ins.OpCode.ALUOp() == asm.Mov:
			onStack[ins.Dst] = ins.OpCode.Source() == asm.RegSource && ins.Src == asm.R10
		case class == asm.ALU64Class && ins.OpCode.ALUOp() == asm.Add && ins.OpCode.Source() == asm.ImmSource && onStack[ins.Dst]:
			lowest = int(ins.Constant)
			onStack[ins.Dst] = false
		case ins.IsFunctionReference():
			calls[function] = append(calls[function], ins.Reference())
		}
		frames[function] = max(frames[function], -lowest)
	}
	return frames, calls
}
