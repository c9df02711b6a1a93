package plan

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/arch/x86/x86asm"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// deferredCall is how a function runs another one that it has deferred, where it returns.
type deferredCall struct {
	// results are where the function's first results lie then, and frame is the size of its frame with
	// the register that it saved, in bytes from its stack pointer.
	results []uint32
	frame   uint32
	behind  []span // the code from each such call to the return behind it
}

// span is a part of a function's code, in bytes from its entry.
type span struct{ from, to int }

// covers tells whether a return needs no probe of its own.
func (d *deferredCall) covers(offset int) bool {
	for _, part := range d.behind {
		if part.from <= offset && offset < part.to {
			return true
		}
	}
	return false
}

// findDeferred finds out how a function runs another one that it defers. At the entry into that, whose
// instruction is emulated, the results lie in the frame of the function, from where they go to their registers: a
// function with results that have names, of Go's optimizing compiler, which runs what is deferred by a call at each
// return (src/cmd/compile/internal/ssagen/ssa.go, openDeferExit). In any other form the returns are seen themselves.
func findDeferred(b *model.Binary, function model.Function, wanted *probe.Deferred) (found *deferredCall, err error) {
	called, ok := b.Functions[wanted.Symbol]
	if !ok {
		return nil, fmt.Errorf("the binary has no function %s for it to defer", wanted.Symbol)
	}
	if b.Arch != model.AMD64 {
		return nil, errors.New("its returns are emulated") // see returnARM64
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("its code cannot be decoded: %v", r)
		}
	}()
	code, err := disassembleAMD64(function.Code)
	if err != nil {
		return nil, err
	}
	slot, err := code.closureOf(int64(called.Address - function.Address))
	if err != nil {
		return nil, err
	}
	return code.deferredFrom(slot, wanted.Results)
}

// disassembled is the code of a function, but for what pads it.
type disassembled struct {
	offsets      []int // of each instruction, from the function's entry
	instructions []x86asm.Inst
	targets      []int // of its jumps
}

func disassembleAMD64(code []byte) (*disassembled, error) {
	d := &disassembled{}
	for offset := 0; offset < len(code); {
		i, err := decodeAMD64(code, offset)
		if err != nil {
			return nil, err
		}
		if i.Op != x86asm.NOP {
			d.offsets, d.instructions = append(d.offsets, offset), append(d.instructions, i)
		}
		offset += i.Len
		if distance, ok := i.Args[0].(x86asm.Rel); ok && i.Op != x86asm.CALL {
			d.targets = append(d.targets, offset+int(distance))
		}
	}
	return d, nil
}

// straight tells whether all that runs the instruction n has run the one at from before.
func (d *disassembled) straight(from, n int) bool {
	return !slices.ContainsFunc(d.targets, func(target int) bool { return d.offsets[from] < target && target <= d.offsets[n] })
}

// closureOf finds where the frame has the address of a closure that is made of a function, once, in the frame as
// well: what is deferred is called through it.
//
//	lea function(%rip),%rdx; mov %rdx,closure(%rsp); …; lea closure(%rsp),%rdx; mov %rdx,slot(%rsp)
func (d *disassembled) closureOf(distance int64) (slot int64, err error) {
	made := -1
	for n, i := range d.instructions {
		m, ok := i.Args[1].(x86asm.Mem)
		if !ok || i.Op != x86asm.LEA || m.Base != x86asm.RIP || int64(d.offsets[n]+i.Len)+m.Disp != distance {
			continue
		}
		if made >= 0 {
			return 0, errors.New("it makes two closures of what it defers")
		}
		made = n
	}
	if made < 0 {
		return 0, errors.New("it makes no closure of what it defers")
	}
	const longest = 16 // instructions that make it
	function, address := d.instructions[made].Args[0], x86asm.Arg(nil)
	closure := int64(-1)
	for n := made + 1; n < min(made+longest, len(d.instructions)) && d.straight(made, n); n++ {
		i := d.instructions[n]
		to, stored := inFrame(i.Args[0])
		from, inside := inFrame(i.Args[1])
		switch {
		case i.Op == x86asm.MOV && stored && function != nil && i.Args[1] == function:
			closure = to
		case i.Op == x86asm.MOV && stored && address != nil && i.Args[1] == address:
			return to, nil
		case i.Op == x86asm.LEA && inside && from == closure:
			address = i.Args[0]
			function = without(function, address)
		case i.Op == x86asm.MOV && stored:
		case i.Op == x86asm.MOV || i.Op == x86asm.LEA:
			function, address = without(function, i.Args[0]), without(address, i.Args[0])
		default:
			return 0, errors.New("the closure of what it defers is made in another way")
		}
	}
	return 0, errors.New("the closure of what it defers is not in its frame")
}

// without is what a register is known to hold, after another one was written to.
func without(known, written x86asm.Arg) x86asm.Arg {
	if known == written {
		return nil
	}
	return known
}

// inFrame is where in a function's frame an operand of eight bytes lies.
func inFrame(a x86asm.Arg) (offset int64, ok bool) {
	m, ok := a.(x86asm.Mem)
	return m.Disp, ok && m.Base == x86asm.RSP && m.Index == 0 && m.Segment == 0 && m.Disp >= 0
}

// deferredFrom finds the calls of the closure in a slot of the frame. All of them must be at returns.
//
//	mov slot(%rsp),%rdx; mov (%rdx),%rax; call *%rax; mov result(%rsp),%rax; …; add $frame,%rsp; pop %rbp; ret
func (d *disassembled) deferredFrom(slot int64, results int) (*deferredCall, error) {
	var found *deferredCall
	for n, i := range d.instructions {
		if from, ok := inFrame(i.Args[1]); !ok || from != slot || i.Op != x86asm.MOV {
			continue
		}
		one, err := d.returnBehind(n, results)
		if err != nil {
			return nil, err
		}
		switch {
		case found == nil:
			found = one
		case !slices.Equal(found.results, one.results) || found.frame != one.frame:
			return nil, errors.New("its results are not in the same place at all returns")
		default:
			found.behind = append(found.behind, one.behind...)
		}
	}
	if found == nil {
		return nil, errors.New("it does not call what it defers where it returns")
	}
	return found, nil
}

// returnBehind reads the return that begins with the instruction n, a load of the closure's address.
func (d *disassembled) returnBehind(n, results int) (*deferredCall, error) {
	other := fmt.Errorf("what it defers is called in another way at +%d", d.offsets[n])
	if n+3 >= len(d.instructions) {
		return nil, other
	}
	load, call := d.instructions[n+1], d.instructions[n+2]
	entry, ok := load.Args[1].(x86asm.Mem)
	if d.instructions[n].Args[0] != x86asm.RDX || load.Op != x86asm.MOV || !ok ||
		entry != (x86asm.Mem{Base: x86asm.RDX, Scale: entry.Scale}) || call.Op != x86asm.CALL || call.Args[0] != load.Args[0] {
		return nil, other
	}
	registers := []x86asm.Reg{x86asm.RAX, x86asm.RBX, x86asm.RCX, x86asm.RDI}[:results]
	one := &deferredCall{results: make([]uint32, results)}
	known, cleared, restored := 0, false, false
	for at := n + 3; at < len(d.instructions) && d.straight(n, at); at++ {
		i := d.instructions[at]
		from, inside := inFrame(i.Args[1])
		switch {
		case i.Op == x86asm.MOV && inside && !cleared:
			for r, register := range registers {
				if i.Args[0] == register {
					one.results[r] = uint32(from) //nolint:gosec // checked against the frame below
					known |= 1 << r
				}
			}
		case i.Op == x86asm.ADD && i.Args[0] == x86asm.RSP && !cleared:
			size, ok := i.Args[1].(x86asm.Imm)
			if !ok || size <= 0 || size > wholeFrame {
				return nil, other
			}
			one.frame, cleared = uint32(size), true
		case i.Op == x86asm.POP && i.Args[0] == x86asm.RBP && cleared && !restored:
			one.frame, restored = one.frame+8, true
		case i.Op == x86asm.RET && restored && known == 1<<len(registers)-1:
			for _, result := range one.results {
				if result >= one.frame {
					return nil, other
				}
			}
			one.behind = []span{{d.offsets[n+2], d.offsets[at] + i.Len}}
			return one, nil
		default:
			return nil, other
		}
	}
	return nil, other
}

// wholeFrame is how large a frame may be at the most.
const wholeFrame = 1 << 20
