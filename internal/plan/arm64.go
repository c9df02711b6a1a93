package plan

import (
	"fmt"

	"golang.org/x/arch/arm64/arm64asm"
)

const arm64Width = 4

// enterARM64 finds the store of the link register behind the stack check, which
// runs once for each call with the arguments in their registers. Its forms:
// `str x30, [sp,#-n]!` for small frames, `stp x29, x30, [x20,#-8]` behind
// `sub x20, sp, #n` for larger ones.
//
// Prologues: src/cmd/internal/obj/arm64/obj7.go, preprocess and stacksplit.
func enterARM64(code []byte) ([]instruction, error) {
	for offset := 0; offset+arm64Width <= len(code) && offset < maxPrologue*arm64Width; offset += arm64Width {
		decoded, err := arm64asm.Decode(code[offset:])
		if err != nil {
			return nil, fmt.Errorf("its code cannot be decoded at +%d: %w", offset, err)
		}
		switch decoded.Op {
		case arm64asm.STR, arm64asm.STP:
			if decoded.Args[0] == arm64asm.X30 || decoded.Args[1] == arm64asm.X30 {
				return []instruction{{offset, decoded.String(), SingleStepped}}, nil
			}
			return nil, fmt.Errorf("its prologue is of no known form (%s at +%d)", decoded, offset)
		case arm64asm.LDR, arm64asm.MOV, arm64asm.MOVZ, arm64asm.MOVK, arm64asm.SUB, arm64asm.SUBS, arm64asm.CMP, arm64asm.B:
			// The stack check: it computes in x16, x17, x20 and x27.
		default:
			return nil, fmt.Errorf("its prologue is of no known form (%s at +%d)", decoded, offset)
		}
	}
	return nil, fmt.Errorf("its prologue does not save the link register")
}
