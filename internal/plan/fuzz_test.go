package plan_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
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
		code, err := hex.DecodeString(strings.ReplaceAll(seed.code, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
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
			if enter && (site.Class != plan.Emulated || !mayEnter(arch, code, int(at))) || !enter && !mayReturn(arch, code, int(at)) {
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
			bytes.HasPrefix(code, []byte{0x90, 0x0b, 0x40, 0xf9}) && (compare == 0xeb3063ff || compare == 0xeb10023f)
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
	return bytes.HasSuffix(code, []byte("\x49\x3b\x66\x10")) || bytes.HasSuffix(code, []byte("\x4d\x3b\x66\x10"))
}

// mayReturn tells whether a site is a return, or the padding before one.
func mayReturn(arch model.Arch, code []byte, at int) bool {
	if arch == model.ARM64 {
		return at%4 == 0 && binary.LittleEndian.Uint32(code[at:])&0xfffffc1f == 0xd65f0000
	}
	rest := code[at:]
	for _, nop := range []string{"\x90", "\x66\x90"} {
		if padded, ok := bytes.CutPrefix(rest, []byte(nop)); ok && len(padded) > 0 {
			rest = padded
			break
		}
	}
	for len(rest) > 1 && strings.IndexByte("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", rest[0]) >= 0 || len(rest) > 1 && rest[0]&0xf0 == 0x40 {
		rest = rest[1:] // prefixes
	}
	return rest[0] == 0xc3 || rest[0] == 0xc2
}

// FuzzDeferred has the planner look at any bytes as a function and what that defers, of which it must say
// no more than is there: a site in the wrong place kills the program, or says that a call has ended which goes on.
func FuzzDeferred(f *testing.F) {
	for _, code := range []string{
		closure + load + call + results + leave + elsewhere,
		closure + condition + load + call + results + leave + elsewhere,
		closure + condition + load + call + results + leaveOld,
		closure + condition + load + call + results + leave + "74e9",
		closure + load + call + results + leave + load + call + results + "4883c448 5d 90 c3",
	} {
		decoded, err := hex.DecodeString(strings.ReplaceAll(code, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(decoded, []byte("\x49\x3b\x66\x10\x76\x05\x55"))
	}
	f.Fuzz(func(t *testing.T, code, inner []byte) {
		l := deferring(code, inner)
		if l.Traced() == (len(l.Sites) == 0) {
			t.Fatalf("%d sites, left out: %q", len(l.Sites), l.LeftOut)
		}
		for _, site := range l.Sites {
			at := site.Address - 0x401000
			switch {
			case site.Symbol == "p.call.func1":
				if at -= 0x1000; at >= uint64(len(inner)) || site.Class != plan.Emulated || !mayEnter(model.AMD64, inner, int(at)) {
					t.Errorf("%s at +%d of % x, %s", site.Instruction, at, inner, site.Class)
				}
			case at >= uint64(len(code)):
				t.Errorf("a site outside of %d bytes: %+v", len(code), site)
			case site.Program == "end_deferring":
				if site.Class != plan.Emulated || !isConditionalJump(code[at:]) {
					t.Errorf("%s at +%d of % x, %s", site.Instruction, at, code, site.Class)
				}
			case !mayReturn(model.AMD64, code, int(at)):
				t.Errorf("%s at +%d of % x, %s", site.Instruction, at, code, site.Class)
			}
		}
		if l.LeftOut != "" {
			return
		}
		says := told(l)
		for _, result := range says[:3] {
			if says[3] != probe.Absent && result >= says[3] {
				t.Errorf("a result at %d of a frame of %d bytes: % x", result, says[3], code)
			}
		}
	})
}

func isConditionalJump(code []byte) bool {
	return code[0]&0xf0 == 0x70 || len(code) > 1 && code[0] == 0x0f && code[1]&0xf0 == 0x80
}

// siteOf plans one hook on a function at 0x401000 with the given code.
func siteOf(arch model.Arch, code []byte, event probe.Event) plan.Library {
	b := &model.Binary{GoVersion: "1.26.8", Arch: arch, Functions: map[string]model.Function{
		"f": {Name: "f", Address: 0x401000, FileOffset: 0x1000, Code: code},
	}}
	library := probe.Library{Name: "library", Hooks: []probe.Hook{{Symbol: "f", Event: event, Program: "program"}}}
	return plan.Build(b, []probe.Library{library}, known(0), nil).Libraries[0]
}
