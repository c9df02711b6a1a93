package plan

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/arch/arm64/arm64asm"
)

const widthARM64 = 4

// loadGuardARM64 is `ldr x16, [x28,#16]`, with which every stack check begins:
// g.stackguard0 lies at 16 in runtime.g, and g is in x28
// (src/cmd/compile/abi-internal.md).
const loadGuardARM64 = 0xf9400b90

// longestPrologueARM64 bounds the instructions before the link register is
// stored. Constants of frames of more than 4 GiB take the most of them.
const longestPrologueARM64 = 16

// enterARM64 finds the store of the link register behind the stack check, which
// runs once for each call with the arguments in their registers. Its forms:
//
//	str x30, [sp,#-n]!
//	sub x20, sp, #n; stp x29, x30, [x20,#-8]   (frames of more than 240 bytes)
//
// The kernel steps over both with a second trap: of the stores it simulates none
// (arch/arm64/kernel/probes/decode-insn.c).
//
// Prologues: src/cmd/internal/obj/arm64/obj7.go, preprocess and stacksplit.
func enterARM64(code []byte) ([]instruction, error) {
	checked := len(code) >= widthARM64 && binary.LittleEndian.Uint32(code) == loadGuardARM64
	for at := 0; at < longestPrologueARM64; at++ {
		i, err := decodeARM64(code, at*widthARM64)
		if err != nil {
			break
		}
		if storesLink(i) {
			return []instruction{{at * widthARM64, arm64asm.GNUSyntax(i), SingleStepped}}, nil
		}
		if !ofPrologueARM64(i) {
			break
		}
	}
	if checked {
		// A probe before or in the check would count a call twice.
		return nil, errors.New("no store of the link register follows its stack check: its prologue is of no known form")
	}
	// A function without a frame checks no stack, and runs its first
	// instruction once.
	first, err := decodeARM64(code, 0)
	if err != nil {
		return nil, err
	}
	return []instruction{{0, arm64asm.GNUSyntax(first), SingleStepped}}, nil
}

func storesLink(i arm64asm.Inst) bool {
	switch i.Op {
	case arm64asm.STR:
		return i.Args[0] == arm64asm.X30
	case arm64asm.STP:
		return i.Args[1] == arm64asm.X30
	}
	return false
}

// ofPrologueARM64 tells whether an instruction may come before the store: it
// computes in registers that hold no arguments, compares, or goes to morestack.
func ofPrologueARM64(i arm64asm.Inst) bool {
	switch i.Op {
	case arm64asm.CMP:
		return true
	case arm64asm.B:
		_, conditional := i.Args[0].(arm64asm.Cond)
		return conditional
	case arm64asm.LDR, arm64asm.MOV, arm64asm.MOVZ, arm64asm.MOVN, arm64asm.MOVK, arm64asm.ADD, arm64asm.SUB, arm64asm.SUBS, arm64asm.ORR:
		switch registerARM64(i.Args[0]) {
		case arm64asm.X16, arm64asm.X17, arm64asm.X20, arm64asm.X27:
			return true
		}
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
		if len(code)-offset >= widthARM64 && binary.LittleEndian.Uint32(code[offset:]) == 0 {
			continue // what the linker fills the gap behind a function with
		}
		i, err := decodeARM64(code, offset)
		if err != nil {
			return nil, err
		}
		switch i.Op {
		case arm64asm.RET:
			returns = append(returns, instruction{offset, arm64asm.GNUSyntax(i), Emulated})
		case arm64asm.B:
			// An indirect jump (br) is a switch: its table leads back into the function.
			if distance, ok := i.Args[0].(arm64asm.PCRel); ok && !within(code, offset+int(distance)) {
				return nil, fmt.Errorf("it leaves by a jump at +%d, behind which no return is seen", offset)
			}
		}
	}
	return returns, nil
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
