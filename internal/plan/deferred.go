package plan

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/arch/x86/x86asm"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// deferred is how a function runs another one that it has deferred, where it returns.
type deferred struct {
	sites []Site // they take the place of the returns behind them
	// results are the places of the function's first results at the sites, and frame is the size of
	// its frame, with the register that the function saved. Both are in bytes from the frame's
	// lower end, which is above bytes over the stack pointer there.
	results      []uint32
	frame, above uint32
	behind       []region // the code from each site to the return
}

// region is a part of the code, by its addresses.
type region struct{ from, to uint64 }

// covers tells whether a return needs no probe of its own.
func (d *deferred) covers(address uint64) bool {
	return slices.ContainsFunc(d.behind, func(r region) bool {
		return r.from <= address && address < r.to
	})
}

// findDeferred finds out how a function runs another one that it defers. The results of the
// function have names, and Go's optimizing compiler has it call the deferred function at each
// return (src/cmd/compile/internal/ssagen/ssa.go, openDeferExit). The results then lie in the
// frame, and go to their registers from there. The kernel emulates the entry into the deferred
// function. Where the function is deferred on a condition, the kernel emulates the branch around
// its call. In any other form the returns have probes themselves.
func findDeferred(
	b *model.Binary, function model.Function, wanted *probe.Deferred,
) (found *deferred, err error) {
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
	err = errors.New("the binary has no function for it to defer")
	for _, symbol := range wanted.Symbols {
		called, ok := b.Functions[symbol]
		if !ok {
			continue
		}
		var slot int64
		if slot, err = code.closureOf(int64(called.Address - function.Address)); err != nil {
			continue
		}
		var exits []exit
		if exits, err = code.exitsThrough(slot, wanted.Results); err != nil {
			continue
		}
		return deferredAt(b, function, called, wanted, exits)
	}
	return nil, err
}

// deferredAt chooses the sites for what runs at a function's exits.
func deferredAt(
	b *model.Binary, function, called model.Function, wanted *probe.Deferred, exits []exit,
) (*deferred, error) {
	d := &deferred{results: exits[0].results, frame: exits[0].frame}
	var branches []instruction
	for _, e := range exits {
		if !slices.Equal(e.results, d.results) || e.frame != d.frame ||
			(e.branch == nil) != (exits[0].branch == nil) {
			return nil, errors.New("its exits are not all alike")
		}
		if e.branch != nil {
			branches = append(branches, *e.branch)
		}
		d.behind = append(d.behind,
			region{function.Address + uint64(e.from), function.Address + uint64(e.to)})
	}
	if branches != nil {
		d.sites = sitesOf(function, probe.Hook{Event: probe.Return, Program: wanted.Program},
			branches)
		return d, nil
	}
	sites, err := choose(b,
		probe.Hook{Symbol: called.Name, Event: probe.Enter, Program: wanted.Program})
	if err != nil {
		return nil, err
	}
	d.sites, d.above = sites, returnAddress
	return d, nil
}

// returnAddress is the size of what a call leaves on the stack.
const returnAddress = 8

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
	return !slices.ContainsFunc(d.targets, func(target int) bool {
		return d.offsets[from] < target && target <= d.offsets[n]
	})
}

// closureOf finds where the frame has the address of a closure that is made of a function, once,
// and in the frame as well. The function calls the deferred one through it.
//
//	lea function(%rip),%rdx; mov %rdx,closure(%rsp); …
//	lea closure(%rsp),%rdx; mov %rdx,slot(%rsp)
func (d *disassembled) closureOf(distance int64) (slot int64, err error) {
	made := -1
	for n, i := range d.instructions {
		m, ok := i.Args[1].(x86asm.Mem)
		if !ok || i.Op != x86asm.LEA || m.Base != x86asm.RIP ||
			int64(d.offsets[n]+i.Len)+m.Disp != distance {
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

// exit is one way out of a function.
type exit struct {
	from, to int          // its code, in bytes from the function's entry
	branch   *instruction // around the call of what is deferred; nil: that is always called
	results  []uint32
	frame    uint32
}

// exitsThrough finds the calls of the closure in a slot of the frame. All of them must be where the
// function returns.
func (d *disassembled) exitsThrough(slot int64, results int) ([]exit, error) {
	var exits []exit
	for n, i := range d.instructions {
		if from, ok := inFrame(i.Args[1]); !ok || from != slot || i.Op != x86asm.MOV {
			continue
		}
		e, ok := d.exitAt(n, results)
		if !ok {
			return nil, fmt.Errorf("what it defers is called in another way at +%d", d.offsets[n])
		}
		exits = append(exits, e)
	}
	if exits == nil {
		return nil, errors.New("it does not call what it defers where it returns")
	}
	return exits, nil
}

// exitAt reads the exit with the instruction n, a load of the closure's address.
//
//	test $1,%cl; je results; movb $0,bits(%rsp)           if it was deferred on a condition
//	mov slot(%rsp),%rdx; mov (%rdx),%rax; call *%rax
//	results: mov result(%rsp),%rax; …; add $frame,%rsp; pop %rbp; ret
//
// Up to Go 1.20 it is mov saved(%rsp),%rbp; add $frame,%rsp; ret.
func (d *disassembled) exitAt(n, results int) (exit, bool) {
	behind := n + 3 // the call
	if behind >= len(d.instructions) {
		return exit{}, false
	}
	load, call := d.instructions[n+1], d.instructions[n+2]
	entry, ok := load.Args[1].(x86asm.Mem)
	if d.instructions[n].Args[0] != x86asm.RDX || load.Op != x86asm.MOV || !ok ||
		entry != (x86asm.Mem{Base: x86asm.RDX, Scale: entry.Scale}) ||
		call.Op != x86asm.CALL || call.Args[0] != load.Args[0] {
		return exit{}, false
	}
	e := exit{from: d.offsets[n], results: make([]uint32, results)}
	entries := 0 // jumps into the exit
	if branch := d.branchAround(n, behind); branch != nil {
		e.branch, e.from, entries = branch, branch.offset, 1
	}
	registers := []x86asm.Reg{x86asm.RAX, x86asm.RBX, x86asm.RCX, x86asm.RDI}[:results]
	known, cleared, restored := 0, false, false
	for at := behind; at < len(d.instructions); at++ {
		i := d.instructions[at]
		from, inside := inFrame(i.Args[1])
		switch {
		case i.Op == x86asm.MOV && inside && !cleared:
			restored = restored || i.Args[0] == x86asm.RBP
			is := func(register x86asm.Reg) bool { return i.Args[0] == register }
			if r := slices.IndexFunc(registers, is); r >= 0 {
				e.results[r] = uint32(from) //nolint:gosec // checked against the frame below
				known |= 1 << r
			}
		case i.Op == x86asm.ADD && i.Args[0] == x86asm.RSP && !cleared:
			size, ok := i.Args[1].(x86asm.Imm)
			if !ok || size <= 0 || size > largestFrame {
				return exit{}, false
			}
			e.frame, cleared = uint32(size), true
		case i.Op == x86asm.POP && i.Args[0] == x86asm.RBP && cleared && !restored:
			e.frame, restored = e.frame+8, true
		case i.Op == x86asm.RET && cleared && restored:
			e.to = d.offsets[at] + i.Len
			outside := slices.ContainsFunc(e.results, func(result uint32) bool {
				return result >= e.frame
			})
			return e, known == 1<<results-1 && !outside && d.entries(e.from, e.to) == entries
		default:
			return exit{}, false
		}
	}
	return exit{}, false
}

// branchAround finds the branch around the call of a deferred function, from before the instruction
// n to the one behind the call. Between the two, the code only notes that the function was called.
func (d *disassembled) branchAround(n, behind int) *instruction {
	const longest = 3
	for at := n - 1; at >= max(n-longest, 0); at-- {
		i := d.instructions[at]
		distance, relative := i.Args[0].(x86asm.Rel)
		_, noted := inFrame(i.Args[0])
		switch {
		case relative && i.Op != x86asm.CALL && i.Op != x86asm.JMP && i.Prefix[0] == 0 &&
			d.offsets[at]+i.Len+int(distance) == d.offsets[behind]:
			return &instruction{d.offsets[at], x86asm.GNUSyntax(i, 0, nil), Emulated}
		case i.Op == x86asm.MOV && noted, i.Op == x86asm.AND:
		default:
			return nil
		}
	}
	return nil
}

// entries counts the jumps to behind the beginning of a part of the code.
func (d *disassembled) entries(from, to int) (n int) {
	for _, target := range d.targets {
		if from < target && target < to {
			n++
		}
	}
	return n
}

// largestFrame is how large a frame may be at the most.
const largestFrame = 1 << 20
