package plan

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/arch/arm64/arm64asm"
)

const widthARM64 = 4

// The instructions with which every stack check begins, and one of which
// compares: g.stackguard0 lies at 16 in runtime.g, and g is in x28
// (src/cmd/compile/abi-internal.md).
const (
	loadGuardARM64     = 0xf9400b90 // ldr x16, [x28,#16]
	compareStackARM64  = 0xeb3063ff // cmp sp, x16
	compareLowestARM64 = 0xeb10023f // cmp x17, x16
)

// longestCheckARM64 bounds the instructions before the check's last jump: the
// constant of a huge frame takes up to four of the eight.
const longestCheckARM64 = 12

// enterARM64 finds the `b.ls` that ends the stack check. It runs again after the
// stack has grown, but the flags of the compare tell whether it is about to jump
// to runtime.morestack. Arguments and g are in their registers, and the kernel
// simulates it (arch/arm64/kernel/probes/decode-insn.c, simulate-insn.c), whereas
// it steps over the store of the link register behind it with a second trap. The
// forms of the check, by the size of the frame (up to Go 1.19 the first has a
// `mov x17, sp` and compares that):
//
//	ldr x16, [x28,#16]; cmp sp, x16; b.ls morestack
//	ldr x16, [x28,#16]; sub x17, sp, #n; cmp x17, x16; b.ls morestack
//	ldr x16, [x28,#16]; subs x17, sp, #n; b.cc morestack; cmp x17, x16; b.ls morestack
//
// A constant n that does not fit is first made in x27. Functions without a check
// are leaves with small frames, go:nosplit ones, and those in assembly.
//
// Prologues: src/cmd/internal/obj/arm64/obj7.go, preprocess and stacksplit.
func enterARM64(code []byte) ([]instruction, error) {
	if _, err := decodeARM64(code, 0); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(code) != loadGuardARM64 {
		return nil, errNoStackCheck
	}
	compared := false
	for offset := widthARM64; offset <= longestCheckARM64*widthARM64; offset += widthARM64 {
		i, err := decodeARM64(code, offset)
		if err != nil {
			return nil, err
		}
		if compared {
			if !jumpsIf(i, lowerOrSame) {
				return nil, errUnknownPrologue
			}
			return []instruction{{offset, arm64asm.GNUSyntax(i), Emulated}}, nil
		}
		switch word := binary.LittleEndian.Uint32(code[offset:]); {
		case word == compareStackARM64 || word == compareLowestARM64:
			compared = true
		case !beforeCompareARM64(i):
			return nil, errUnknownPrologue
		}
	}
	return nil, errUnknownPrologue
}

// Conditions of b.cond, as they are encoded: Arm Architecture Reference Manual,
// C1.2.4.
const (
	lower       = 0b0011 // cc, or lo
	lowerOrSame = 0b1001 // ls
)

func jumpsIf(i arm64asm.Inst, condition uint8) bool {
	c, ok := i.Args[0].(arm64asm.Cond)
	return ok && i.Op == arm64asm.B && c.Value == condition
}

// beforeCompareARM64 tells whether an instruction may come between the load of
// the guard and the compare: it computes in the registers of the check.
func beforeCompareARM64(i arm64asm.Inst) bool {
	switch i.Op {
	case arm64asm.B:
		return jumpsIf(i, lower)
	case arm64asm.MOV, arm64asm.MOVZ, arm64asm.MOVN, arm64asm.MOVK,
		arm64asm.ADD, arm64asm.SUB, arm64asm.SUBS, arm64asm.ORR:
		to := registerARM64(i.Args[0])
		return to == arm64asm.X17 || to == arm64asm.X27
	}
	return false
}

func registerARM64(a arm64asm.Arg) arm64asm.Reg {
	switch r := a.(type) {
	case arm64asm.Reg:
		return r
	case arm64asm.RegSP:
		return arm64asm.Reg(r)
	}
	return arm64asm.XZR
}

// returnARM64 finds every `ret`, which the kernel simulates
// (arch/arm64/kernel/probes/decode-insn.c, aarch64_insn_is_ret).
func returnARM64(code []byte) ([]instruction, error) {
	var returns []instruction
	for offset := 0; offset < len(code); offset += widthARM64 {
		i, err := decodeARM64(code, offset)
		if err != nil {
			if len(code)-offset >= widthARM64 &&
				goesOnARM64(binary.LittleEndian.Uint32(code[offset:])) {
				continue
			}
			return nil, err
		}
		switch i.Op {
		case arm64asm.RET:
			returns = append(returns, instruction{offset, arm64asm.GNUSyntax(i), Emulated})
		case arm64asm.B:
			// An indirect jump (br) is a switch: its table leads back into the function.
			if distance, ok := i.Args[0].(arm64asm.PCRel); ok &&
				!within(code, offset+int(distance)) {
				return nil, fmt.Errorf("it leaves by a jump at +%d, behind which no return is seen",
					offset)
			}
		}
	}
	return returns, nil
}

// goesOnARM64 tells whether what follows an instruction that the decoder does not know runs after
// it, by the group of its encoding: Arm Architecture Reference Manual, C4.1. So it is with the
// atomic instructions of Armv8.1, of which sync.Mutex is made; only branches lead elsewhere. What
// is reserved, not allocated, or of vectors (SVE, SME) is in no code of Go's compiler, but zeros
// are what the linker fills the gap behind a function with.
func goesOnARM64(word uint32) bool {
	group := word >> 25 & 0b1111
	return word == 0 || group > 0b0011 && group>>1 != 0b101
}

func decodeARM64(code []byte, offset int) (arm64asm.Inst, error) {
	if offset+widthARM64 > len(code) {
		return arm64asm.Inst{}, fmt.Errorf("its code ends at +%d", len(code))
	}
	i, err := arm64asm.Decode(code[offset:])
	if err != nil {
		return i, fmt.Errorf("its code cannot be decoded at +%d: %w", offset, err)
	}
	return i, nil
}
