package plan

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/arch/arm64/arm64asm"
	"golang.org/x/arch/x86/x86asm"

	"github.com/spanprobe/spanprobe/internal/model"
)

// findCall finds the one instruction by which a function calls another directly. The kernel
// emulates it: arch/x86/kernel/uprobes.c, branch_xol_ops; arch/arm64/kernel/probes/decode-insn.c,
// aarch64_insn_is_bl.
func findCall(
	b *model.Binary, function model.Function, callee string,
) (found []instruction, err error) {
	called, ok := b.Functions[callee]
	if !ok {
		return nil, fmt.Errorf("the binary has no function %s for it to call", callee)
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("its code cannot be decoded: %v", r)
		}
	}()
	// How far from the function's entry the call leads.
	distance := int64(called.Address - function.Address)
	switch b.Arch {
	case model.AMD64:
		found, err = callsAMD64(function.Code, distance)
	case model.ARM64:
		found = callsARM64(function.Code, distance)
	default:
		return nil, fmt.Errorf("the calls of %s are not known", b.Arch)
	}
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("it calls %s %d times: it was inlined, or the version has another form",
			callee, len(found))
	}
	return found, err
}

// callAMD64 is the opcode of a direct call.
const callAMD64 = 0xe8

func callsAMD64(code []byte, distance int64) ([]instruction, error) {
	var calls []instruction
	for offset := 0; offset < len(code); {
		i, err := decodeAMD64(code, offset)
		if err != nil {
			return nil, err
		}
		at := offset
		offset += i.Len
		to, ok := i.Args[0].(x86asm.Rel)
		if !ok || i.Op != x86asm.CALL {
			continue
		}
		// Behind 0x66, processors do not agree on how long it is, and the kernel refuses it.
		if code[at] != callAMD64 {
			return nil, fmt.Errorf("a call at +%d has a prefix, which no compiler of Go's gives it",
				at)
		}
		if int64(offset)+int64(to) == distance {
			calls = append(calls, instruction{at, x86asm.GNUSyntax(i, 0, nil), Emulated})
		}
	}
	return calls, nil
}

func callsARM64(code []byte, distance int64) []instruction {
	var calls []instruction
	for offset := 0; offset+widthARM64 <= len(code); offset += widthARM64 {
		if binary.LittleEndian.Uint32(code[offset:])>>26 != 0b100101 { // bl
			continue
		}
		i, err := arm64asm.Decode(code[offset:])
		if err != nil {
			continue
		}
		if to, ok := i.Args[0].(arm64asm.PCRel); ok && int64(offset)+int64(to) == distance {
			calls = append(calls, instruction{offset, arm64asm.GNUSyntax(i), Emulated})
		}
	}
	return calls
}
