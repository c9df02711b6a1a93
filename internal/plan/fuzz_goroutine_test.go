package plan_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// FuzzCalls has the planner look for a call among any bytes. Of those with prefixes the
// kernel refuses some: arch/x86/kernel/uprobes.c, branch_setup_xol_ops.
func FuzzCalls(f *testing.F) {
	for _, seed := range []struct {
		code     string
		onARM64  bool
		distance int32
	}{
		{"493b6610 7605 55 e8f4000000 5d c3", false, 0x100},
		{"e8fbffffff e8f6ffffff c3", false, 0},
		{"66e8fa000000 c3", false, 0x100},
		{"ffd0 e9f9000000 e8f4000000", false, 0x100},
		{"ffffff97 c0035fd6", true, -4},
		{"40000094 3f000094 c0035fd6", true, 0x100},
		{"40000014 3f000094", true, 0x100},
	} {
		f.Add(bytesOf(f, seed.code), seed.onARM64, seed.distance)
	}
	f.Fuzz(func(t *testing.T, code []byte, onARM64 bool, distance int32) {
		const caller = 1 << 32
		arch := model.AMD64
		if onARM64 {
			arch = model.ARM64
		}
		b := &model.Binary{GoVersion: "1.26.8", Arch: arch, Functions: map[string]model.Function{
			"f": {Name: "f", Address: caller, FileOffset: 0x1000, Code: code},
			"g": {Name: "g", Address: uint64(caller + int64(distance))},
		}}
		library := probe.Library{
			Name:  "library",
			Hooks: []probe.Hook{{Symbol: "f", Event: probe.Call, Callee: "g", Program: "program"}},
		}
		l := plan.Build(b, []probe.Library{library}, known(0), nil).Libraries[0]
		if l.Traced() != (len(l.Sites) == 1) || len(l.Sites) > 1 {
			t.Fatalf("%d sites, left out: %q", len(l.Sites), l.LeftOut)
		}
		for _, site := range l.Sites {
			at := site.Address - caller
			if at >= uint64(len(code)) || site.FileOffset != 0x1000+at {
				t.Fatalf("a site outside of %d bytes: %+v", len(code), site)
			}
			if to, ok := calledFrom(onARM64, code, int(at)); site.Class != plan.Emulated || !ok ||
				to != int64(distance) {
				t.Errorf("%s at +%d of % x calls %+d, not %+d: %s", site.Instruction, at, code, to,
					distance, site.Class)
			}
		}
		if onARM64 && calls(code, distance) == 1 != l.Traced() {
			t.Errorf("% x has %d calls of %+d, left out: %q", code, calls(code, distance), distance,
				l.LeftOut)
		}
	})
}

// calledFrom is where a direct call at an offset leads, from the beginning of the code.
func calledFrom(onARM64 bool, code []byte, at int) (to int64, ok bool) {
	rest := code[at:]
	switch {
	case onARM64 && len(rest) >= 4 && at%4 == 0:
		word := binary.LittleEndian.Uint32(rest)
		return int64(at) + int64(int32(word<<6)>>4), word&0xfc000000 == 0x94000000
	case !onARM64 && len(rest) >= 5:
		return int64(at) + 5 + int64(int32(binary.LittleEndian.Uint32(rest[1:]))), rest[0] == 0xe8
	}
	return 0, false
}

// calls counts the calls of arm64 that lead to one place.
func calls(code []byte, distance int32) (n int) {
	for at := 0; at+4 <= len(code); at += 4 {
		if to, ok := calledFrom(true, code, at); ok && to == int64(distance) {
			n++
		}
	}
	return n
}

// FuzzGoidGenerator has the planner look at any bytes as the code that takes ids of
// goroutines. What it finds must be an address that this code computes, and adds 16 to.
func FuzzGoidGenerator(f *testing.F) {
	for _, seed := range []struct {
		code    string
		onARM64 bool
	}{
		{"ba10000000 488d35aa01a800 f0480fc116", false},
		{"41b810000000 4c8d0daa010000 f04d0fc101 c3", false},
		{"ba10000000 8d35aa01a800 f0480fc116", false},
		{"ba10000000 488d35aa01a800 b208 f0480fc116", false},
		{"48c7c210000000 488d35aafeffff 90 f0480fc116", false},
		{"e0037cb2 01000090 21400091 2200e0f8", true},
		{"000280d2 01000090 21400091 22fc5fc8", true},
		{"000280d2 e1ffffb0 21fc3f91 2200e0f8", true},
	} {
		f.Add(bytesOf(f, seed.code), seed.onARM64, uint32(0x402000))
	}
	f.Fuzz(func(t *testing.T, code []byte, onARM64 bool, address uint32) {
		arch, enter := model.AMD64, []byte("\x49\x3b\x66\x10\x76\x05\x55")
		if onARM64 {
			arch, enter = model.ARM64, bytesOf(t, "900b40f9 ff6330eb c9000054 fe0f1df8 c0035fd6")
		}
		const text = 0x401000
		b := &model.Binary{
			GoVersion:  "1.26.8",
			Arch:       arch,
			Text:       text,
			Moduledata: []uint64{0},
			Functions: map[string]model.Function{
				probe.NewGoroutine: {
					Name: probe.NewGoroutine, Address: uint64(address), Code: code,
				},
				"f": {Name: "f", Address: text, Code: enter},
			},
		}
		library := probe.Library{
			Name: "library", Hooks: []probe.Hook{{Symbol: "f", Program: "program"}},
			Fields: []probe.Field{{Field: probe.GoidGenerator}}, OffsetsSize: 4,
		}
		l := plan.Build(b, []probe.Library{library}, known(0), nil).Libraries[0]
		found := binary.LittleEndian.Uint32(l.Offsets)
		if l.Traced() == (found == probe.Absent) {
			t.Fatalf("found at %#x, left out: %q", found, l.LeftOut)
		}
		if l.Traced() && !addsTo(onARM64, code, uint64(address), text+uint64(found)) {
			t.Errorf("%#x is nothing that % x at %#x adds 16 to", text+uint64(found), code, address)
		}
	})
}

// addsTo tells whether code has what it takes to add 16 to what lies at an address.
func addsTo(onARM64 bool, code []byte, address, target uint64) bool {
	for at := 0; at+4 <= len(code); at++ {
		switch rest := code[at:]; {
		case onARM64 && at%4 == 0 && len(rest) >= 12:
			page, add := binary.LittleEndian.Uint32(rest), binary.LittleEndian.Uint32(rest[4:])
			if page&0x9f000000 != 0x90000000 || add&0xffc00000 != 0x91000000 {
				continue // adrp, add
			}
			pages := int64(int32(page<<8)>>13)<<2 | int64(page>>29&3)
			pc := (address + uint64(at)) / 4096 * 4096
			if pc+uint64(pages*4096)+uint64(add>>10&4095) == target {
				return true
			}
		// lea …(%rip)
		case !onARM64 && len(rest) >= 7 && rest[0]&0xf8 == 0x48 && rest[1] == 0x8d && rest[2]&0xc7 == 5:
			to := address + uint64(at) + 7 + uint64(
				int64(int32(binary.LittleEndian.Uint32(rest[3:]))))
			if to == target && bytes.Contains(rest[7:], []byte("\x0f\xc1")) &&
				bytes.Contains(code, []byte("\x10\x00\x00\x00")) {
				return true
			}
		}
	}
	return false
}
