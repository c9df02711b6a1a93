package plan_test

import (
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/testing/testbinary"
)

// goroutines is hooked as package bpf/goroutine hooks it, and wants to know where ids of
// goroutines come from.
var goroutines = probe.Library{
	Name: "runtime",
	Hooks: []probe.Hook{
		{
			Symbol: "runtime.newproc.func1", Event: probe.Call, Callee: "runtime.runqput",
			Program: "note_goroutine",
		},
	},
	Fields:      []probe.Field{{Field: probe.GoidGenerator}},
	OffsetsSize: 4,
}

func TestTheCodeShowsWhereIdsOfGoroutinesComeFrom(t *testing.T) {
	for _, build := range builds() {
		if build.Form == testbinary.Stripped {
			continue // nothing says where the variable is
		}
		t.Run(build.String(), func(t *testing.T) {
			path := testbinary.Server(t, build)
			b := inspectFile(t, path)
			l := plan.Build(b, []probe.Library{goroutines}, known(120), nil).Libraries[0]
			if got, want := uint64(binary.LittleEndian.Uint32(l.Offsets)), symbolOf(t, path,
				"runtime.sched")-b.Text; got != want {
				t.Errorf("runtime.sched is at %#x behind the code's start, found at %#x: %s%v",
					want, got, l.LeftOut, l.Notes)
			}
		})
	}
}

func TestTheCallThatStartsAGoroutineIsFoundInEveryForm(t *testing.T) {
	for _, build := range builds() {
		l := plan.Build(inspectFile(t, testbinary.Server(t, build)), []probe.Library{goroutines}, known(120), nil).Libraries[0]
		call := "callq "
		if build.Arch == model.ARM64 {
			call = "bl "
		}
		if len(l.Sites) != 1 || l.Sites[0].Class != plan.Emulated ||
			!strings.HasPrefix(l.Sites[0].Instruction, call) ||
			l.Sites[0].Event != "call" {
			t.Errorf("%s: %+v, left out: %q", build, l.Sites, l.LeftOut)
		}
	}
}

// Code that only looks like it has no answer.
func TestOtherCodeShowsNoSourceOfIds(t *testing.T) {
	for name, code := range map[string]string{
		// mov $8,%edx; lea …(%rip),%rsi; lock xadd %rdx,(%rsi)
		"another number":  "ba08000000 488d35aa01a800 f0480fc116",
		"32 bits":         "ba10000000 488d35aa01a800 f00fc116",
		"another base":    "ba10000000 488d35aa01a800 f0480fc117",
		"changed since":   "ba10000000 488d35aa01a800 488d15aa01a800 f0480fc116",
		"changed in part": "ba10000000 488d35aa01a800 b208 f0480fc116",
		"half an address": "ba10000000 8d35aa01a800 f0480fc116",
		"nothing":         "c3",
		"no instruction":  "06",
	} {
		b := &model.Binary{
			Arch:       model.AMD64,
			Text:       0x401000,
			Moduledata: []uint64{0},
			Functions: map[string]model.Function{
				probe.NewGoroutine: {Address: 0x402000, Code: bytesOf(t, code)},
				"p.f":              {Address: 0x403000, Code: bytesOf(t, "493b6610 7605 55")},
			},
		}
		library := probe.Library{
			Name: "p", Hooks: []probe.Hook{{Symbol: "p.f", Program: "f"}},
			Fields: []probe.Field{{Field: probe.GoidGenerator}}, OffsetsSize: 4,
		}
		if l := plan.Build(b, []probe.Library{library}, known(120), nil).Libraries[0]; l.Traced() {
			t.Errorf("%s: it is at %#x", name, binary.LittleEndian.Uint32(l.Offsets))
		}
	}
}

func symbolOf(t *testing.T, path, name string) uint64 {
	t.Helper()
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	symbols, err := file.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, symbol := range symbols {
		if symbol.Name == name {
			return symbol.Value
		}
	}
	t.Fatalf("%s has no symbol %s", path, name)
	return 0
}

func bytesOf(t testing.TB, digits string) []byte {
	t.Helper()
	code, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return code
}
