package plan_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// FuzzSites has the planner look at any bytes as a function's code. What it then
// chooses is checked without a disassembler: a site in the wrong place kills the
// program, or counts calls twice.
func FuzzSites(f *testing.F) {
	for _, seed := range []struct{ code, arch string }{
		{"493b6610 7605 55 4889e5 5d c3", "amd64"},
		{"4c8d6424a8 4d3b6610 0f8655550000 55 4889e5", "amd64"},
		{"4989e4 4981ec30130000 0f82c5000000 4d3b6610 0f86bb000000 4881ecb0130000", "amd64"},
		{"b8c3c3c3c3 c3 ebf8 c3 cc cc", "amd64"},
		{"31c0 5d 90 c3 7402 6690 c3", "amd64"},
		{"900b40f9 ff6330eb c9000054 fe0f1df8 c0035fd6", "arm64"},
		{"900b40f9 1b9e81d2 7b00a0f2 f1633beb 03070054 3f0210eb c9060054", "arm64"},
		{"c0035fd6 00000000 40000014", "arm64"},
	} {
		code := fromHex(f, seed.code)
		for _, enter := range []bool{false, true} {
			f.Add(code, seed.arch == "arm64", enter)
		}
	}
	f.Fuzz(func(t *testing.T, code []byte, onARM64, enter bool) {
		arch, event := model.AMD64, probe.Return
		if onARM64 {
			arch = model.ARM64
		}
		if enter {
			event = probe.Enter
		}
		l := siteOf(arch, code, event)
		if l.Traced() == (len(l.Sites) == 0) || enter && len(l.Sites) > 1 {
			t.Fatalf("%d sites, left out: %q", len(l.Sites), l.LeftOut)
		}
		for _, site := range l.Sites {
			at := site.Address - 0x401000
			if at >= uint64(len(code)) || site.FileOffset != 0x1000+at {
				t.Fatalf("a site outside of %d bytes: %+v", len(code), site)
			}
			right := mayReturn(arch, code, int(at)) &&
				(site.Class == plan.Emulated) == (onARM64 || isPadding(code[at:]))
			if enter {
				right = mayEnter(arch, code, int(at)) && site.Class == plan.Emulated
			}
			if !right {
				t.Errorf("%s at +%d of % x, %s", site.Instruction, at, code, site.Class)
			}
		}
	})
}

// mayEnter tells whether a site has the flags of a stack check: it is the
// conditional jump behind the compare with the guard, or the push behind that.
func mayEnter(arch model.Arch, code []byte, at int) bool {
	if arch == model.ARM64 {
		words := code[:at+4]
		compare := binary.LittleEndian.Uint32(words[at-4:])
		return at%4 == 0 && binary.LittleEndian.Uint32(words[at:])&0xff00001f == 0x54000009 &&
			bytes.HasPrefix(code,
				[]byte{0x90, 0x0b, 0x40, 0xf9}) && (compare == 0xeb3063ff || compare == 0xeb10023f)
	}
	before := code[:at]
	switch code[at] {
	case 0x55:
		if n := len(before); n >= 2 && before[n-2] == 0x76 && comparesGuard(before[:n-2]) {
			return true
		}
		n := len(before)
		return n >= 6 && before[n-6] == 0x0f && before[n-5] == 0x86 && comparesGuard(before[:n-6])
	case 0x76:
		return comparesGuard(before)
	case 0x0f:
		return code[at+1] == 0x86 && comparesGuard(before)
	}
	return false
}

// comparesGuard tells whether code ends with `cmp 0x10(%r14),%rsp` or the same of
// %r12.
func comparesGuard(code []byte) bool {
	return bytes.HasSuffix(code, []byte("\x49\x3b\x66\x10")) ||
		bytes.HasSuffix(code, []byte("\x4d\x3b\x66\x10"))
}

// mayReturn tells whether a site is a return, or the padding before one.
func mayReturn(arch model.Arch, code []byte, at int) bool {
	if arch == model.ARM64 {
		return at%4 == 0 && binary.LittleEndian.Uint32(code[at:])&0xfffffc1f == 0xd65f0000
	}
	rest := code[at:]
	if isPadding(rest) {
		rest = rest[bytes.IndexByte(rest, nop)+1:]
		if len(rest) == 0 {
			return false
		}
	}
	for len(rest) > 1 && strings.IndexByte("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", rest[0]) >= 0 || len(rest) > 1 && rest[0]&0xf0 == 0x40 {
		rest = rest[1:] // prefixes
	}
	return rest[0] == 0xc3 || rest[0] == 0xc2
}

const nop = 0x90

// isPadding tells whether code begins with a nop of one or two bytes.
func isPadding(code []byte) bool {
	return code[0] == nop || len(code) > 1 && code[0] == 0x66 && code[1] == nop
}

// FuzzDeferred has the planner look at any bytes as a function and what that defers. What it then
// chooses is compared with the returns that it would choose otherwise: a site in the wrong place
// kills the program, and what takes the place of a return must be right before it, else it says of
// a call that goes on that it has ended.
func FuzzDeferred(f *testing.F) {
	const inner = "493b6610 7605 55"
	for _, test := range deferring {
		f.Add(fromHex(f, test.code), fromHex(f, inner))
	}
	f.Fuzz(func(t *testing.T, code, inner []byte) {
		planned, returns := planDeferring(code, inner, true), planDeferring(code, inner, false)
		if planned.Traced() != returns.Traced() || planned.Traced() == (len(planned.Sites) == 0) {
			t.Fatalf("%d sites, left out: %q, else %q", len(planned.Sites), planned.LeftOut,
				returns.LeftOut)
		}
		// returns that are probed, and places that stand for others; from the function's entry
		var left, deferred []uint64
		instead := false // what is deferred is probed
		for _, site := range planned.Sites {
			at := site.Address - 0x401000
			switch {
			case site.Symbol == "p.call.func1":
				instead = true
				if at -= 0x1000; at >= uint64(len(inner)) || site.Class != plan.Emulated ||
					!mayEnter(model.AMD64, inner, int(at)) {
					t.Errorf("%s at +%d of % x, %s", site.Instruction, at, inner, site.Class)
				}
			case at >= uint64(len(code)):
				t.Errorf("a site outside of %d bytes: %+v", len(code), site)
			case site.Program == "end_deferring":
				deferred = append(deferred, at)
				if site.Class != plan.Emulated || !jumpsOverACall(code[at:]) {
					t.Errorf("%s at +%d of % x, %s", site.Instruction, at, code, site.Class)
				}
			default:
				left = append(left, at)
			}
		}
		var replaced []uint64
		for _, site := range returns.Sites {
			if at := site.Address - 0x401000; !slices.Contains(left, at) {
				replaced = append(replaced, at)
			}
		}
		switch {
		case len(left)+len(replaced) != len(returns.Sites):
			t.Errorf("returns of % x are probed at %d, of %d", code, left, len(returns.Sites))
		case instead && (len(deferred) > 0 || len(replaced) == 0),
			!instead && len(deferred) != len(replaced):
			t.Errorf("%d returns of % x are not probed, but %d branches, and what is deferred: %v",
				len(replaced), code, len(deferred), instead)
		}
		slices.Sort(deferred)
		for n, at := range deferred {
			// The next return behind a branch is its own.
			if n < len(replaced) &&
				(replaced[n] < at || slices.ContainsFunc(left, func(l uint64) bool { return at < l && l < replaced[n] })) {
				t.Errorf("the branch at +%d of % x stands for the return at +%d", at, code,
					replaced[n])
			}
		}
		if planned.LeftOut != "" {
			return
		}
		says := told(planned)
		for _, result := range says[:3] {
			if says[3] != probe.Absent && result >= says[3] {
				t.Errorf("a result at %d of a frame of %d bytes: % x", result, says[3], code)
			}
		}
	})
}

// jumpsOverACall tells whether code begins with a conditional jump forward, to behind a call
// through a register.
func jumpsOverACall(code []byte) bool {
	length, distance := 2, 0
	switch {
	case len(code) >= 2 && code[0]&0xf0 == 0x70:
		distance = int(int8(code[1]))
	case len(code) >= 6 && code[0] == 0x0f && code[1]&0xf0 == 0x80:
		length, distance = 6, int(int32(binary.LittleEndian.Uint32(code[2:])))
	}
	end := length + distance
	return distance >= 2 && end <= len(code) && bytes.Contains(code[length:end], []byte{0xff})
}

// siteOf plans one hook on a function at 0x401000 with the given code.
func siteOf(arch model.Arch, code []byte, event probe.Event) plan.Library {
	b := &model.Binary{GoVersion: "1.26.8", Arch: arch, Functions: map[string]model.Function{
		"f": {Name: "f", Address: 0x401000, FileOffset: 0x1000, Code: code},
	}}
	library := probe.Library{
		Name: "library", Hooks: []probe.Hook{{Symbol: "f", Event: event, Program: "program"}},
	}
	return plan.Build(b, []probe.Library{library}, known(0), nil).Libraries[0]
}

// fromHex decodes code that is written in hexadecimal digits, with spaces.
func fromHex(t testing.TB, code string) []byte {
	t.Helper()
	decoded, err := hex.DecodeString(strings.ReplaceAll(code, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}
