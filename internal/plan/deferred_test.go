package plan_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/probe"
)

const (
	// of what lies 0x1000 behind the function's entry, by 0x30(%rsp)
	closure = "488d15f90f0000 4889542420 488d542420 4889542430"
	// its address, and that of its code
	load      = "488b542430 488b02"
	call      = "ffd0"
	results   = "488b442408 488b5c2410 488b4c2418" // 8, 16 and 24(%rsp) to %rax, %rbx and %rcx
	leave     = "4883c440 5d c3"                   // a frame of 64 bytes
	elsewhere = "31c0 5d c3"
	// Around 5 + 8 + 2 bytes.
	condition = "f6c101 740f c644244700"
	leaveOld  = "488b6c2438 4883c440 c3" // up to Go 1.20
)

var absent = []uint32{probe.Absent, probe.Absent, probe.Absent, probe.Absent, probe.Absent}

// deferring are forms of a function that defers another one.
var deferring = map[string]struct {
	code  string
	sites []string // by address
	says  []uint32
}{
	"one of two returns": {
		closure + load + call + results + leave + elsewhere,
		[]string{"return 401038", "enter 402006"},
		[]uint32{8, 16, 24, 72, 8},
	},
	"two returns": {
		closure + load + call + results + leave + load + call + results + leave,
		[]string{"enter 402006"},
		[]uint32{8, 16, 24, 72, 8},
	},
	"padding": {
		closure + load + "6690" + call + results + "4883c440 5d 90 c3",
		[]string{"enter 402006"},
		[]uint32{8, 16, 24, 72, 8},
	},
	"on a condition": {
		closure + condition + load + call + results + leave + elsewhere,
		[]string{"return 401019", "return 401042"},
		[]uint32{8, 16, 24, 72, 0},
	},
	"on a condition, by Go 1.20": {
		closure + condition + load + call + results + leaveOld,
		[]string{"return 401019"},
		[]uint32{8, 16, 24, 64, 0},
	},
	"around something else": {
		closure + "f6c101 7410 c644244700" + load + call + results + leave,
		[]string{"return 40103e"},
		absent,
	},
	"on a condition, or not": {
		closure + condition + load + call + results + leave + load + call + results + leave,
		[]string{"return 40103e", "return 40105d"},
		absent,
	},
	"two jumps to the results": {
		closure + condition + load + call + results + leave + "74e9",
		[]string{"return 40103e"},
		absent,
	},
	"no closure": {
		load + call + results + leave, []string{"return 40101e"}, absent,
	},
	"a closure of another": {
		strings.Replace(closure, "f90f", "fa0f", 1) + load + call + results + leave,
		[]string{"return 401034"},
		absent,
	},
	"two closures": {
		closure + strings.Replace(closure, "f9", "e3", 1) + load + call + results + leave,
		[]string{"return 40104a"},
		absent,
	},
	"one that is moved away": {
		strings.Replace(closure, "4889542420", "4889d9 4889542420 4831d2",
			1) + load + call + results + leave,
		[]string{"return 40103a"},
		absent,
	},
	"a call that is no return": {
		closure + load + call + load + call + results + leave, []string{"return 40103e"}, absent,
	},
	"a jump to the results": {
		closure + load + call + results + leave + "ebe8", []string{"return 401034"}, absent,
	},
	"other places": {
		closure + load + call + results + leave + load + call + strings.Replace(results, "08", "38",
			1) + leave,
		[]string{"return 401034", "return 401053"},
		absent,
	},
	"another frame": {
		closure + load + call + results + leave + load + call + results + "4883c448 5d c3",
		[]string{"return 401034", "return 401053"},
		absent,
	},
	"beyond the frame": {
		closure + load + call + strings.Replace(results, "08", "58", 1) + leave,
		[]string{"return 401034"},
		absent,
	},
	"a result less": {
		closure + load + call + "488b442408 488b5c2410" + leave, []string{"return 40102f"}, absent,
	},
	"a result that is none": {
		closure + load + call + results + "31c0" + leave, []string{"return 401036"}, absent,
	},
}

func TestWhatAFunctionDefersTakesThePlaceOfTheReturnsBehindIt(t *testing.T) {
	for name, test := range deferring {
		t.Run(name, func(t *testing.T) {
			l := planDeferring(fromHex(t, test.code), fromHex(t, "493b6610 7605 55"), true)
			var sites []string
			for _, site := range l.Sites {
				sites = append(sites, fmt.Sprintf("%s %x", site.Event, site.Address))
			}
			slices.SortFunc(
				sites, func(a, b string) int { return strings.Compare(a[len(a)-6:], b[len(b)-6:]) },
			)
			if !slices.Equal(sites, test.sites) {
				t.Errorf("probes are at %v, left out: %q", sites, l.LeftOut)
			}
			if says := told(l); !slices.Equal(says, test.says) {
				t.Errorf("the programs are told %d", says)
			}
		})
	}
}

// planDeferring plans a hook on the returns of a function at 0x401000, which may defer one at
// 0x402000 that takes their place.
func planDeferring(code, inner []byte, inPlace bool) plan.Library {
	b := &model.Binary{GoVersion: "1.26.8", Arch: model.AMD64, Functions: map[string]model.Function{
		"p.call":       {Name: "p.call", Address: 0x401000, Code: code},
		"p.call.func1": {Name: "p.call.func1", Address: 0x402000, Code: inner},
	}}
	hook := probe.Hook{Symbol: "p.call", Event: probe.Return, Program: "end"}
	if inPlace {
		hook.Deferred = &probe.Deferred{
			Symbols: []string{"p.call.func2", "p.call.func1"}, Program: "end_deferring", Results: 3,
			Slot: 4,
		}
	}
	library := probe.Library{Name: "library", OffsetsSize: 24, Hooks: []probe.Hook{hook}}
	return plan.Build(b, []probe.Library{library}, known(0), nil).Libraries[0]
}

// told is what the programs are told: where the three results are, how large the frame is, and what
// is above the stack pointer.
func told(l plan.Library) []uint32 {
	var says []uint32
	for n := range 5 {
		says = append(says, binary.LittleEndian.Uint32(l.Offsets[4+4*n:]))
	}
	return says
}
