package plan

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/arch/x86/x86asm"
)

// enterAMD64 finds the instruction that stands for the entry into a function.
// The function's first one runs again after the stack has grown. The `push %rbp`
// behind the stack check (Go 1.21 and later) runs once for each call. Before
// that, the frame is made by `sub`, and the check's own `jbe` is chosen: it runs
// again too, but the flags of the compare tell whether it is about to jump to
// runtime.morestack. At both, arguments and g are in their registers, the flags
// are those of the compare (the programs look at them in any case), and the
// kernel emulates both (arch/x86/kernel/uprobes.c, push_xol_ops and
// branch_xol_ops).
//
// Prologues: src/cmd/internal/obj/x86/obj6.go, preprocess and stacksplit.
func enterAMD64(code []byte) ([]instruction, error) {
	jump, err := stackCheckAMD64(code)
	if err != nil {
		return nil, err
	}
	branch, err := decodeAMD64(code, jump)
	if err != nil {
		return nil, err
	}
	behind := jump + branch.Len
	if bytes.HasPrefix(code[behind:], []byte{0x55}) {
		return []instruction{{behind, "push %rbp", Emulated}}, nil
	}
	return []instruction{{jump, x86asm.GNUSyntax(branch, 0, nil), Emulated}}, nil
}

// stackCheckAMD64 returns the offset of the conditional jump that ends the stack
// check. Its forms, by the size of the frame:
//
//	cmp 0x10(%r14),%rsp;                                   jbe morestack
//	lea -n(%rsp),%r12;                  cmp 0x10(%r14),%r12; jbe morestack
//	mov %rsp,%r12; sub $n,%r12; jb morestack; cmp 0x10(%r14),%r12; jbe morestack
//
// Functions without it are leaves with small frames, go:nosplit ones, and those
// in assembly.
func stackCheckAMD64(code []byte) (jump int, err error) {
	const longest = 4 // instructions before the jump
	compared := false
	offset := 0
	for range longest + 1 {
		i, err := decodeAMD64(code, offset)
		if err != nil {
			return 0, err
		}
		switch {
		case compared && jumpsToGrow(code[offset:]):
			return offset, nil
		case compared:
			return 0, errUnknownPrologue
		case comparesGuard(code[offset:]):
			compared = true
		case i.Op == x86asm.LEA && i.Args[0] == x86asm.R12 && baseOf(i.Args[1]) == x86asm.RSP:
		case i.Op == x86asm.MOV && i.Args[0] == x86asm.R12 && i.Args[1] == x86asm.RSP:
		case i.Op == x86asm.SUB && i.Args[0] == x86asm.R12:
		case i.Op == x86asm.JB && offset > 0:
		default:
			return 0, errNoStackCheck
		}
		offset += i.Len
	}
	return 0, errNoStackCheck
}

// jumpsToGrow tells whether code begins with a `jbe` without a prefix: the kernel
// does not emulate every branch that has one (arch/x86/kernel/uprobes.c,
// branch_setup_xol_ops).
func jumpsToGrow(code []byte) bool {
	return bytes.HasPrefix(code, []byte{0x76}) || bytes.HasPrefix(code, []byte{0x0f, 0x86})
}

// comparesGuard tells whether code begins with a compare of %rsp or %r12 with
// g.stackguard0, which lies at 16 in runtime.g; g is in r14
// (src/cmd/compile/abi-internal.md).
func comparesGuard(code []byte) bool {
	const stack, lowest = "\x49\x3b\x66\x10", "\x4d\x3b\x66\x10"
	return bytes.HasPrefix(code, []byte(stack)) || bytes.HasPrefix(code, []byte(lowest))
}

func baseOf(a x86asm.Arg) x86asm.Reg {
	m, _ := a.(x86asm.Mem)
	return m.Base
}

// returnAMD64 finds what stands for every `ret`. The results are in their registers, and the stack
// pointer is where a `ret` needs it, behind the last `pop`. A `nop` of one or two bytes may
// follow it, with which the compiler keeps a `ret` off the end of a line
// (src/cmd/internal/obj/x86/asm6.go, padJump). All kernels emulate that, whereas a `ret` is
// single-stepped.
func returnAMD64(code []byte) ([]instruction, error) {
	var returns []instruction
	targets := map[int]bool{} // of jumps within the function
	padded := map[int]instruction{}
	var before instruction
	for offset := 0; offset < len(code); {
		i, err := decodeAMD64(code, offset)
		if err != nil {
			return nil, err
		}
		this := instruction{offset, x86asm.GNUSyntax(i, 0, nil), SingleStepped}
		distance, relative := i.Args[0].(x86asm.Rel)
		target := offset + i.Len + int(distance)
		switch {
		case i.Op == x86asm.RET:
			if before.class == Emulated {
				padded[offset] = before
			}
			returns = append(returns, this)
		case i.Op == x86asm.JMP && relative && !within(code, target):
			// An indirect jump is a switch: its table leads back into the function.
			return nil, fmt.Errorf("it leaves by a jump at +%d, behind which no return is seen",
				offset)
		case relative:
			targets[target] = true
		case isShortNop(code[offset:]):
			this.class = Emulated
		}
		before = this
		offset += i.Len
	}
	for n, ret := range returns {
		if nop, ok := padded[ret.offset]; ok && !targets[ret.offset] {
			returns[n] = nop
		}
	}
	return returns, nil
}

// isShortNop tells whether code begins with a `nop` that every kernel emulates:
// arch/x86/kernel/uprobes.c, branch_setup_xol_ops. Recent ones rewrite that of five bytes.
func isShortNop(code []byte) bool {
	return bytes.HasPrefix(code, []byte{0x90}) || bytes.HasPrefix(code, []byte{0x66, 0x90})
}

// decodeAMD64 decodes one instruction. x86asm answers with a bare prefix of one
// byte where it does not know an instruction, and it does not know the lengths
// of all AVX ones: both would lead into the middle of the next.
func decodeAMD64(code []byte, offset int) (x86asm.Inst, error) {
	i, err := x86asm.Decode(code[offset:], 64)
	if err == nil && i.Op == 0 {
		err = x86asm.ErrUnrecognized
	}
	for _, prefix := range i.Prefix {
		switch prefix &^ (x86asm.PrefixImplicit | x86asm.PrefixIgnored) {
		case x86asm.PrefixVEX2Bytes, x86asm.PrefixVEX3Bytes, x86asm.PrefixEVEX:
			err = errors.New("an AVX instruction")
		}
	}
	if err != nil {
		return i, fmt.Errorf("its code cannot be decoded at +%d: %w", offset, err)
	}
	return i, nil
}
