package plan_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// The codes are from compiled programs.
func TestEnterIsBehindTheStackCheckOrItsLastJump(t *testing.T) {
	for name, test := range map[string]struct {
		arch   model.Arch
		code   string
		offset uint64
		text   string
	}{
		"small frame":              {model.AMD64, "493b6610 7605 55 4889e5", 6, "push %rbp"},
		"far morestack":            {model.AMD64, "493b6610 0f8605000000 55 4889e5", 10, "push %rbp"},
		"large frame":              {model.AMD64, "4c8d6424a8 4d3b6610 0f8655550000 55 4889e5", 15, "push %rbp"},
		"huge frame":               {model.AMD64, "4989e4 4981ec88550000 0f8255000000 4d3b6610 0f8655000000 55", 26, "push %rbp"},
		"small frame, before 1.21": {model.AMD64, "493b6610 762a 4883ec10 48896c2408", 4, "jbe .+0x2a"},
		"far, before 1.21":         {model.AMD64, "493b6610 0f86b4000000 4883ec18", 4, "jbe .+0xb4"},
		"large frame, before 1.21": {model.AMD64, "4c8da42470fcffff 4d3b6610 0f86c5000000 4881ec10040000", 12, "jbe .+0xc5"},
		"huge frame, before 1.21":  {model.AMD64, "4989e4 4981ec30130000 0f82c5000000 4d3b6610 0f86bb000000 4881ecb0130000", 20, "jbe .+0xbb"},
		"arm64 small frame":        {model.ARM64, "900b40f9 ff6330eb c9000054 fe0f1df8", 8, "b.ls .+0x18"},
		"arm64 large frame":        {model.ARM64, "900b40f9 f1c303d1 3f0210eb 49010054 f48304d1", 12, "b.ls .+0x28"},
		"arm64 small, before 1.20": {model.ARM64, "900b40f9 f1030091 3f0210eb c9010054 fe0f1ef8", 12, "b.ls .+0x38"},
		"arm64 huge frame":         {model.ARM64, "900b40f9 1b9e81d2 7b00a0f2 f1633beb 03070054 3f0210eb c9060054", 24, "b.ls .+0xd8"},
	} {
		t.Run(name, func(t *testing.T) {
			l := planned(t, test.arch, test.code, probe.Enter)
			if len(l.Sites) != 1 {
				t.Fatalf("%d sites, left out: %q", len(l.Sites), l.LeftOut)
			}
			site := l.Sites[0]
			if site.Address != 0x401000+test.offset || site.FileOffset != 0x1000+test.offset ||
				site.Class != plan.Emulated {
				t.Errorf("the site is %+v", site)
			}
			if site.Instruction != test.text {
				t.Errorf("the instruction is %q", site.Instruction)
			}
		})
	}
}

func TestWhatCannotBeHookedIsLeftOutWithTheReason(t *testing.T) {
	for name, test := range map[string]struct {
		arch  model.Arch
		code  string
		event probe.Event
		says  string
	}{
		"no stack check":            {model.AMD64, "55 4889e5 c3", probe.Enter, "stack check"},
		"no frame":                  {model.AMD64, "488b4008 c3", probe.Enter, "stack check"},
		"nop of five bytes":         {model.AMD64, "0f1f440000 c3", probe.Enter, "stack check"},
		"stack of the system":       {model.AMD64, "493b6618 7605 55", probe.Enter, "stack check"},
		"flags changed":             {model.AMD64, "493b6610 4839d8 7605 55", probe.Enter, "no known form"},
		"another jump":              {model.AMD64, "493b6610 7405 55", probe.Enter, "no known form"},
		"jump with a prefix":        {model.AMD64, "493b6610 3e7605 55", probe.Enter, "no known form"},
		"cut in the check":          {model.AMD64, "4989e4 4981ec88550000 0f82", probe.Enter, "cannot be decoded at +10"},
		"arm64 no stack check":      {model.ARM64, "fe0f1ef8 c0035fd6", probe.Enter, "stack check"},
		"arm64 no frame":            {model.ARM64, "000440f9 c0035fd6", probe.Enter, "stack check"},
		"arm64 stack of the system": {model.ARM64, "900f40f9 ff6330eb c9000054", probe.Enter, "stack check"},
		"arm64 flags changed":       {model.ARM64, "900b40f9 ff6330eb 1f0001eb c9000054", probe.Enter, "no known form"},
		"arm64 another jump":        {model.ARM64, "900b40f9 ff6330eb c0000054", probe.Enter, "no known form"},
		"arm64 argument changed":    {model.ARM64, "900b40f9 000440f9 ff6330eb c9000054", probe.Enter, "no known form"},
		"arm64 cut in the check":    {model.ARM64, "900b40f9 ff6330eb", probe.Enter, "ends at +8"},
		"no code":                   {model.AMD64, "", probe.Enter, "cannot be decoded"},
		"no instruction":            {model.AMD64, "06", probe.Enter, "cannot be decoded at +0"},
		"cut in an instruction":     {model.AMD64, "c3 0f1f", probe.Return, "cannot be decoded at +1"},
		"unknown, with a prefix":    {model.AMD64, "66 0f04 c3", probe.Return, "cannot be decoded at +0"},
		"AVX":                       {model.AMD64, "c5f877 c3", probe.Return, "AVX"},
		"no return":                 {model.AMD64, "ebfe", probe.Return, "never returns"},
		"jump to another function":  {model.AMD64, "c3 e900010000", probe.Return, "leaves by a jump at +1"},
		"too long to be seen":       {model.AMD64, strings.Repeat("90", model.MaxCode-1) + "c3", probe.Return, "longer than"},
		// retaa
		"arm64 unknown branch": {model.ARM64, "ff0b5fd6 c0035fd6", probe.Return, "cannot be decoded at +0"},
		"arm64 not allocated":  {model.ARM64, "01000000 c0035fd6", probe.Return, "cannot be decoded at +0"},
		"arm64 jump out":       {model.ARM64, "c0035fd6 40000014", probe.Return, "leaves by a jump at +4"},
		"another architecture": {"riscv64", "c3", probe.Enter, "riscv64"},
	} {
		t.Run(name, func(t *testing.T) {
			if l := planned(t, test.arch, test.code,
				test.event); !strings.Contains(l.LeftOut, test.says) ||
				l.Traced() {
				t.Errorf("left out: %q", l.LeftOut)
			}
		})
	}
}

// offsetsOf lists where the sites are, from the function's entry.
func offsetsOf(l plan.Library) []uint64 {
	var offsets []uint64
	for _, site := range l.Sites {
		offsets = append(offsets, site.Address-0x401000)
	}
	return offsets
}

func TestReturnIsEveryRetAndNothingInsideAnInstruction(t *testing.T) {
	// mov $0xc3c3c3c3,%eax; ret; jmp back; int3 as the linker pads
	l := planned(t, model.AMD64, "b8c3c3c3c3 c3 ebf8 c3 cc cc", probe.Return)
	if offsets := offsetsOf(l); !slices.Equal(offsets, []uint64{5, 8}) {
		t.Errorf("the returns are at %d, left out: %q", offsets, l.LeftOut)
	}
}

func TestReturnsOfARM64AreFoundAmongAtomicInstructions(t *testing.T) {
	// casal w3, w4, [x2]; ret; ldaddal w3, w5, [x4]; ret
	l := planned(t, model.ARM64, "44fce388 c0035fd6 8500e3b8 c0035fd6", probe.Return)
	if offsets := offsetsOf(l); !slices.Equal(offsets, []uint64{4, 12}) {
		t.Errorf("the returns are at %d, left out: %q", offsets, l.LeftOut)
	}
}

func TestAReturnIsProbedAtThePaddingBeforeItWhichIsEmulated(t *testing.T) {
	for name, test := range map[string]struct {
		code    string
		offsets []uint64
		class   plan.Class
	}{
		"one byte":                {"31c0 5d 90 c3", []uint64{3}, plan.Emulated},
		"two bytes":               {"31c0 5d 6690 c3", []uint64{3}, plan.Emulated},
		"five, which are changed": {"31c0 5d 0f1f440000 c3", []uint64{8}, plan.SingleStepped},
		"not right before it":     {"31c0 90 5d c3", []uint64{4}, plan.SingleStepped},
		"jumped over":             {"7402 31c0 7401 90 c3", []uint64{7}, plan.SingleStepped},
		"jumped over from behind": {"31c0 90 c3 ebfd", []uint64{3}, plan.SingleStepped},
	} {
		t.Run(name, func(t *testing.T) {
			l := planned(t, model.AMD64, test.code, probe.Return)
			for _, site := range l.Sites {
				if site.Class != test.class {
					t.Errorf("%s is %s", site.Instruction, site.Class)
				}
			}
			if offsets := offsetsOf(l); !slices.Equal(offsets, test.offsets) {
				t.Errorf("the returns are at %d, left out: %q", offsets, l.LeftOut)
			}
		})
	}
}

func TestAFunctionThatInspectionReadsWholeHasItsReturns(t *testing.T) {
	l := planned(t, model.AMD64, strings.Repeat("90", model.MaxCode-2)+"c3", probe.Return)
	if len(l.Sites) != 1 {
		t.Errorf("%d returns, left out: %q", len(l.Sites), l.LeftOut)
	}
}

func TestFIPSFunctionsAreNeverProbed(t *testing.T) {
	const symbol = "crypto/internal/fips140/sha256.(*Digest).Write"
	b := &model.Binary{
		GoVersion: "1.26.8", Arch: model.AMD64,
		Functions: map[string]model.Function{symbol: {Code: []byte{0x55}}},
	}
	p := plan.Build(b, []probe.Library{{Name: "fips", Hooks: []probe.Hook{{Symbol: symbol}}}},
		known(0), nil)
	if l := p.Libraries[0]; !strings.Contains(l.LeftOut, "FIPS") || len(l.Sites) != 0 {
		t.Errorf("left out: %q, %d sites", l.LeftOut, len(l.Sites))
	}
}

func TestALibraryWithoutItsFunctionsIsUnusedAndNotAFailure(t *testing.T) {
	p := plan.Build(&model.Binary{GoVersion: "1.26.8", Arch: model.AMD64}, []probe.Library{server},
		known(0), nil)
	if l := p.Libraries[0]; !l.Unused || l.LeftOut != "" || l.Traced() || p.Traced() {
		t.Errorf("the plan is %+v", l)
	}
}

func TestALibraryWithSomeOfItsFunctionsIsLeftOut(t *testing.T) {
	b := serverBinary("1.26.8")
	delete(b.Functions, server.Hooks[1].Symbol)
	l := plan.Build(b, []probe.Library{server}, known(120), nil).Libraries[0]
	if l.Unused ||
		!strings.Contains(l.LeftOut, server.Hooks[1].Symbol+": the binary has no such function") {
		t.Errorf("unused %t, left out: %q", l.Unused, l.LeftOut)
	}
}

func TestGoThatPassesArgumentsOnTheStackIsLeftOut(t *testing.T) {
	for _, test := range []struct {
		arch                 model.Arch
		version, experiments string
		says                 string // "": it is not left out
	}{
		{model.AMD64, "1.16.15", "", "oldest supported on amd64 is Go 1.17"},
		{model.AMD64, "1.17.13", "", ""},
		{model.AMD64, "1.20.14", "", ""},
		{model.AMD64, "1.27rc1", "", ""},
		{model.AMD64, "devel go1.28-abc", "", ""},
		{model.AMD64, "1.17.13 X:noregabireflect,noregabiargs", "", "noregabireflect"},
		{model.ARM64, "1.17.13", "", "oldest supported on arm64 is Go 1.18"},
		{model.ARM64, "1.18.10", "", ""},
		{model.ARM64, "1.26.8", "noregabiwrappers,noregabiargs", "noregabiwrappers"},
	} {
		b := serverBinary(test.version)
		b.Arch, b.Settings = test.arch, map[string]string{"GOEXPERIMENT": test.experiments}
		if test.arch == model.ARM64 {
			for name := range b.Functions {
				b.Functions[name] = model.Function{
					Name: name, Code: []byte("\x90\x0b\x40\xf9\xff\x63\x30\xeb\xc9\x00\x00\x54"),
				}
			}
		}
		l := plan.Build(b, []probe.Library{server}, known(120), nil).Libraries[0]
		if (l.LeftOut == "") != (test.says == "") || !strings.Contains(l.LeftOut, test.says) {
			t.Errorf("Go %s on %s is left out: %q", test.version, test.arch, l.LeftOut)
		}
	}
}

func TestOffsetsLieAtTheirSlotsAndWhatIsNotKnownIsAbsent(t *testing.T) {
	field := func(name string) model.Field {
		return model.Field{
			Module: model.ModuleStd, Package: "net/http", Struct: "response", Field: name,
		}
	}
	library := server
	library.Fields = []probe.Field{
		{Field: field("status"), Slot: 8},
		{Field: field("gone"), Slot: 0, Optional: true},
		{Field: field("unknown"), Slot: 4, Optional: true},
	}
	library.OffsetsSize = 16
	lookup := func(f model.Field) (model.FieldOffset, error) {
		switch f.Field {
		case "status":
			return model.FieldOffset{Offset: 128, Exists: true, Source: model.SourceTable}, nil
		case "gone":
			return model.FieldOffset{Source: model.SourceTable}, nil
		}
		return model.FieldOffset{}, errors.New("nobody knows")
	}
	l := plan.Build(serverBinary("1.27.4"), []probe.Library{library}, lookup, nil).Libraries[0]
	for slot, want := range map[int]uint32{0: probe.Absent, 4: probe.Absent, 8: 128, 12: 0} {
		if got := binary.LittleEndian.Uint32(l.Offsets[slot:]); got != want {
			t.Errorf("slot %d holds %#x", slot, got)
		}
	}
	if !l.Traced() || len(l.Notes) != 1 ||
		!strings.Contains(l.Notes[0], "net/http.response.unknown: nobody knows") {
		t.Errorf("left out %q, notes %q", l.LeftOut, l.Notes)
	}
	library.Fields[1].Optional, library.Fields[2].Optional = false, false
	l = plan.Build(serverBinary("1.27.4"), []probe.Library{library}, lookup, nil).Libraries[0]
	if !strings.Contains(l.LeftOut, "response.gone: no such field in this version") ||
		!strings.Contains(l.LeftOut, "response.unknown: nobody knows") {
		t.Errorf("left out: %q", l.LeftOut)
	}
}

func TestTheLayoutOfMapsFollowsFromGoAndItsExperiments(t *testing.T) {
	for _, test := range []struct {
		version, experiments string
		layout               uint32
	}{
		{"1.17.13", "", 1},
		{"1.21.0", "", 1},
		{"1.23.12", "", 1},
		{"1.24.0", "", 2},
		{"1.24.3", "noswissmap", 1},
		{"1.25.1 X:nocoverageredesign,noswissmap", "", 1},
		{"1.26.8-X:nocoverageredesign", "nocoverageredesign", 2},
		{"1.27.4-X:mapsplitgroup", "", probe.Absent},
		{"1.26.8", "noswissmap", 2}, // gone since 1.26
		{"1.27.4", "mapsplitgroup", probe.Absent},
		{"devel go1.28-abc", "", probe.Absent},
		{"1.28.0", "", probe.Absent},
	} {
		b := serverBinary(test.version)
		b.Settings = map[string]string{"GOEXPERIMENT": test.experiments}
		l := plan.Build(b, []probe.Library{server}, known(120), nil).Libraries[0]
		if got := binary.LittleEndian.Uint32(l.Offsets); got != test.layout || !l.Traced() {
			t.Errorf("Go %s with %q has layout %#x, left out: %q", test.version, test.experiments,
				got, l.LeftOut)
		}
	}
}

func TestTheLayoutOfMapsOfANewerGoIsThatWhichItsDebugInformationDescribes(t *testing.T) {
	for _, version := range []string{"1.28.0", "1.28rc1", "devel go1.28-abc"} {
		for layout, described := range map[uint32]bool{2: true, probe.Absent: false} {
			lookup := func(field model.Field) (model.FieldOffset, error) {
				if field == probe.HeaderSlots {
					return model.FieldOffset{Exists: described, Source: model.SourceDWARF}, nil
				}
				return known(120)(field)
			}
			l := plan.Build(serverBinary(version), []probe.Library{server}, lookup, nil).Libraries[0]
			if got := binary.LittleEndian.Uint32(l.Offsets); got != layout {
				t.Errorf("Go %s, whose slots are described: %t, has layout %#x", version, described,
					got)
			}
		}
	}
}

func TestTheLayoutOfMapsIsNotTakenFromAVersionWhoseExperimentsNobodyWroteDown(t *testing.T) {
	for _, test := range []struct {
		version   string
		described bool
		layout    uint32
	}{
		{"1.23.12", false, 1},
		{"1.25.1", false, probe.Absent}, // it may be noswissmap's
		{"1.25.1", true, 2},
		{"1.27.4", false, probe.Absent}, // or mapsplitgroup's
		{"1.27.4", true, 2},
	} {
		lookup := func(field model.Field) (model.FieldOffset, error) {
			if field == probe.HeaderSlots {
				return model.FieldOffset{Exists: test.described, Source: model.SourceDWARF}, nil
			}
			return known(120)(field)
		}
		b := serverBinary(test.version)
		b.NoBuildInfo = true
		l := plan.Build(b, []probe.Library{server}, lookup, nil).Libraries[0]
		if got := binary.LittleEndian.Uint32(l.Offsets); got != test.layout {
			t.Errorf("Go %s, whose slots are described: %t, has layout %#x", test.version,
				test.described, got)
		}
	}
}

func TestAReasonThatManyFieldsShareIsGivenOnce(t *testing.T) {
	library := server
	library.Fields = nil
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		library.Fields = append(library.Fields,
			probe.Field{Field: model.Field{Package: "p", Struct: "s", Field: name}})
	}
	lookup := func(model.Field) (model.FieldOffset, error) { return model.FieldOffset{}, errors.New("nobody knows") }
	l := plan.Build(serverBinary("1.27.4"), []probe.Library{library}, lookup, nil).Libraries[0]
	if l.LeftOut != "p.s.a, p.s.b, p.s.c and 2 more: nobody knows" {
		t.Errorf("left out: %q", l.LeftOut)
	}
}

// planned plans one hook on a function at 0x401000 with the given code.
func planned(t *testing.T, arch model.Arch, code string, event probe.Event) plan.Library {
	t.Helper()
	decoded, err := hex.DecodeString(strings.ReplaceAll(code, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return siteOf(arch, decoded, event)
}

// serverBinary has both functions of a server.
func serverBinary(version string) *model.Binary {
	b := &model.Binary{
		GoVersion: version, Arch: model.AMD64, Functions: map[string]model.Function{},
	}
	for _, hook := range server.Hooks {
		b.Functions[hook.Symbol] = model.Function{
			Name: hook.Symbol, Code: []byte("\x49\x3b\x66\x10\x76\x05\x55"),
		}
	}
	return b
}

// known answers every question with one offset.
func known(offset uint64) model.FieldLookup {
	return func(field model.Field) (model.FieldOffset, error) {
		if field == probe.HeaderSlots {
			return model.FieldOffset{}, errors.New("the binary has no debug information")
		}
		return model.FieldOffset{Offset: offset, Exists: true, Source: model.SourceTable}, nil
	}
}
