package plan

import (
	"fmt"

	"golang.org/x/arch/x86/x86asm"
)

// maxPrologue bounds the instructions before the frame is set up. The longest
// form, for a frame of more than 4 GiB, has eight.
const maxPrologue = 12

// enterAMD64 finds the instruction behind the stack check. The function's first
// one runs again after the stack has grown, the `push %rbp` behind the check
// runs once for each call, with the arguments still in their registers, and the
// kernel emulates it (arch/x86/kernel/uprobes.c, push_xol_ops).
//
// Prologues: src/cmd/internal/obj/x86/obj6.go, preprocess and stacksplit.
func enterAMD64(code []byte) ([]instruction, error) {
	offset := 0
	for range maxPrologue {
		decoded, err := x86asm.Decode(code[offset:], 64)
		if err != nil {
			return nil, fmt.Errorf("its code cannot be decoded at +%d: %w", offset, err)
		}
		if decoded.Op == x86asm.PUSH && decoded.Args[0] == x86asm.RBP {
			return []instruction{{offset, x86asm.GNUSyntax(decoded, 0, nil), Emulated}}, nil
		}
		if !ofPrologue(decoded) {
			break
		}
		offset += decoded.Len
	}
	return firstAMD64(code)
}

// ofPrologue tells whether an instruction may come before `push %rbp`: the stack
// check computes in r12 and r13, and leaves the arguments alone.
func ofPrologue(decoded x86asm.Inst) bool {
	switch decoded.Op {
	case x86asm.CMP, x86asm.JBE, x86asm.JB:
		return true
	case x86asm.LEA, x86asm.MOV, x86asm.SUB:
		return decoded.Args[0] == x86asm.R12 || decoded.Args[0] == x86asm.R13
	}
	return false
}

// firstAMD64 falls back to the first instruction of a function that has no
// frame, and so no stack check that would run it twice.
func firstAMD64(code []byte) ([]instruction, error) {
	first, err := x86asm.Decode(code, 64)
	if err != nil {
		return nil, fmt.Errorf("its first instruction cannot be decoded: %w", err)
	}
	switch first.Op {
	case x86asm.NOP:
		if first.Len == 5 {
			return nil, fmt.Errorf("its first instruction is a five-byte nop, which recent kernels turn into a call")
		}
		return nil, fmt.Errorf("its first instruction is a nop of %d bytes, which is no prologue that is known", first.Len)
	case x86asm.CMP, x86asm.LEA, x86asm.MOV:
		return nil, fmt.Errorf("its prologue is of no known form (it begins with %q)", x86asm.GNUSyntax(first, 0, nil))
	}
	return []instruction{{0, x86asm.GNUSyntax(first, 0, nil), SingleStepped}}, nil
}
