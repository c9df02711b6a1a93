package plan

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/arch/x86/x86asm"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// goidBatch is how many ids a processor takes at once: src/runtime/proc.go, _GoidCacheBatch.
const goidBatch = 16

var errNoGenerator = errors.New(
	"the code of " + probe.NewGoroutine + " does not show where ids of goroutines come from")

// goidGenerator finds where a binary keeps the last id that was given out. No table of a stripped
// binary knows variables of the runtime, but the function that takes the next batch of ids adds
// a known number to it.
func goidGenerator(b *model.Binary) (answer model.FieldOffset, err error) {
	function, ok := b.Functions[probe.NewGoroutine]
	if !ok {
		return answer, fmt.Errorf("the binary has no function %s", probe.NewGoroutine)
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the code of %s cannot be decoded: %v", probe.NewGoroutine, r)
		}
	}()
	var address uint64
	switch b.Arch {
	case model.AMD64:
		address, err = addedToAMD64(function.Code, function.Address)
	case model.ARM64:
		address, err = addedToARM64(function.Code, function.Address)
	default:
		err = errNoGenerator
	}
	if err != nil {
		return answer, err
	}
	at := distance(b, address)
	return model.FieldOffset{
		Offset: uint64(at), Exists: at != probe.Absent, Source: model.SourceRuntime,
	}, nil
}

// addedToAMD64 finds the address to which a batch is added:
//
//	mov $16,%r; lea goidgen(%rip),%q; lock xadd %r,(%q)
func addedToAMD64(code []byte, address uint64) (uint64, error) {
	var batch, base x86asm.Reg
	var target uint64
	for offset := 0; offset < len(code); {
		i, err := decodeAMD64(code, offset)
		if err != nil {
			return 0, err
		}
		offset += i.Len
		to := wide(i.Args[0])
		switch {
		case i.Op == x86asm.XADD && i.DataSize == 64 && batch != 0 && i.Args[1] == batch &&
			base != 0 && baseOf(i.Args[0]) == base:
			return target, nil
		case i.Op == x86asm.MOV && i.DataSize >= 32 && i.Args[1] == x86asm.Imm(goidBatch):
			batch = to
			continue
		case i.Op == x86asm.LEA && i.DataSize == 64 && baseOf(i.Args[1]) == x86asm.RIP:
			distance := int32(i.Args[1].(x86asm.Mem).Disp) // the decoder gives it without its sign
			base, target = to, address+uint64(offset)+uint64(distance)
			continue
		}
		if to == batch {
			batch = 0
		}
		if to == base {
			base = 0
		}
	}
	return 0, errNoGenerator
}

// wide is the register of 64 bits that a register is a part of; 0: it is none of general use.
func wide(a x86asm.Arg) x86asm.Reg {
	switch r, _ := a.(x86asm.Reg); {
	case r >= x86asm.AL && r <= x86asm.BL:
		return r - x86asm.AL + x86asm.RAX
	case r >= x86asm.AH && r <= x86asm.BH:
		return r - x86asm.AH + x86asm.RAX
	case r >= x86asm.SPB && r <= x86asm.R15B:
		return r - x86asm.SPB + x86asm.RSP
	case r >= x86asm.AX && r <= x86asm.R15W:
		return r - x86asm.AX + x86asm.RAX
	case r >= x86asm.EAX && r <= x86asm.R15L:
		return r - x86asm.EAX + x86asm.RAX
	case r >= x86asm.RAX && r <= x86asm.R15:
		return r
	}
	return 0
}

// addedToARM64 does the same:
//
//	mov x, #16; adrp y, goidgen; add y, y, #…; ldaddal x, …, (y)   or ldaxr …, (y)
func addedToARM64(code []byte, address uint64) (uint64, error) {
	word := func(i int) uint32 {
		if i*widthARM64+widthARM64 > len(code) {
			return 0
		}
		return binary.LittleEndian.Uint32(code[i*widthARM64:])
	}
	for i := 0; i*widthARM64 < len(code); i++ {
		batch := word(i) & 31
		if word(i)&^31 != 0xb27c03e0 && word(i)&^31 != 0xd2800200 { // orr x, xzr, #16; movz x, #16
			continue
		}
		page, add, use := word(i+1), word(i+2), word(i+3)
		base := page & 31
		if page&0x9f000000 != 0x90000000 || add&0xffc003ff != 0x91000000|base<<5|base ||
			use>>5&31 != base {
			continue
		}
		if (use&0xffe0fc00 != 0xf8e00000 || use>>16&31 != batch) &&
			use&0xfffffc00 != 0xc85ffc00 { // ldaddal, ldaxr
			continue
		}
		distance := int64(page>>29&3|page>>5&0x7ffff<<2) << 43 >> 31 // 21 bits, in pages
		pc := address + uint64((i+1)*widthARM64)
		return pc&^0xfff + uint64(distance) + uint64(add>>10&0xfff), nil
	}
	return 0, errNoGenerator
}
