package plan_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// A library of another module than the standard library, hooked in all of the
// ways there are.
var (
	status  = model.Field{Module: "example.com/m", Package: "example.com/m/p", Struct: "w", Field: "status"}
	optHook = probe.Library{
		Name: "m", OffsetsSize: 16,
		Hooks: []probe.Hook{
			{Symbol: "p.serve", Program: "serve"},
			{Symbol: "p.end", Program: "end", Optional: true, Slot: 4},
			{Symbol: "p.more", Program: "more", Optional: true, OnDemand: true, Slot: 8},
			{Symbol: "p.with", Program: "with", Optional: true, With: []string{"p.another", "p.other"}},
			{Symbol: "p.old", Program: "old", Optional: true, Without: "p.other"},
			{Symbol: "p.stack", Program: "stack", Optional: true, Arch: model.AMD64},
			{Symbol: "p.registers", Program: "registers", Optional: true, Arch: model.ARM64},
			{Symbol: "example.com/m/p.write", Program: "write", Optional: true, Unless: status},
		},
		Fields: []probe.Field{{Field: status, Slot: 12, Optional: true}},
	}
)

func TestHooksAreChosenByWhatABinaryHas(t *testing.T) {
	for name, c := range map[string]struct {
		functions []string
		known     bool // where the status is
		programs  []string
		end       uint32 // what the slot of p.end says
		notes     int
	}{
		"only what it must have":        {functions: []string{"p.serve"}, programs: []string{"serve"}},
		"one whose presence is told":    {functions: []string{"p.serve", "p.end"}, programs: []string{"serve", "end"}, end: 1},
		"one on demand":                 {functions: []string{"p.serve", "p.more"}, programs: []string{"serve", "more"}},
		"one without its companion":     {functions: []string{"p.serve", "p.with"}, programs: []string{"serve"}},
		"one with its companion":        {functions: []string{"p.serve", "p.with", "p.other"}, programs: []string{"serve", "with"}},
		"one without its successor":     {functions: []string{"p.serve", "p.old"}, programs: []string{"serve", "old"}},
		"one with its successor":        {functions: []string{"p.serve", "p.old", "p.other"}, programs: []string{"serve"}},
		"one for each architecture":     {functions: []string{"p.serve", "p.stack", "p.registers"}, programs: []string{"serve", "stack"}},
		"one for a field not known":     {functions: []string{"p.serve", "example.com/m/p.write"}, programs: []string{"serve", "write"}, notes: 1},
		"one for a field that is known": {functions: []string{"p.serve", "example.com/m/p.write"}, known: true, programs: []string{"serve"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, err := hex.DecodeString("493b6610760555")
			if err != nil {
				t.Fatal(err)
			}
			b := &model.Binary{GoVersion: "1.26.8", Arch: model.AMD64, Functions: map[string]model.Function{}}
			for _, function := range c.functions {
				b.Functions[function] = model.Function{Name: function, Code: code}
			}
			asked := false
			l := plan.Build(b, []probe.Library{optHook}, func(field model.Field) (model.FieldOffset, error) {
				asked = asked || field == status
				if field == status && c.known {
					return model.FieldOffset{Offset: 72, Exists: true}, nil
				}
				return model.FieldOffset{}, errors.New("not known")
			}, nil).Libraries[0]
			if l.LeftOut != "" || len(l.Sites) != len(c.programs) || len(l.Notes) != c.notes {
				t.Fatalf("%+v", l)
			}
			for i, program := range c.programs {
				if l.Sites[i].Program != program || l.Sites[i].OnDemand != (program == "more") {
					t.Errorf("site %d: %+v", i, l.Sites[i])
				}
			}
			if end, more := binary.LittleEndian.Uint32(l.Offsets[4:]), binary.LittleEndian.Uint32(l.Offsets[8:]); end != c.end || more != 0 {
				t.Errorf("the slots say %d and %d", end, more)
			}
			// Nothing of a module is looked up in a binary without it.
			if linked := len(c.functions) > 1 && c.functions[1] == "example.com/m/p.write"; asked != linked {
				t.Errorf("looked up: %v", asked)
			}
			want := probe.Absent
			if c.known {
				want = 72
			}
			if got := binary.LittleEndian.Uint32(l.Offsets[12:]); got != want {
				t.Errorf("the status is at %d", got)
			}
		})
	}
}

// pairs has two kinds of operations, each with a beginning and an end.
var pairs = probe.Library{
	Name: "m", OffsetsSize: 32,
	Hooks: []probe.Hook{
		{Symbol: "p.begin", Program: "begin", Together: "one", SiteSlot: 4},
		{Symbol: "p.end", Program: "end", Together: "one"},
		{Symbol: "p.start", Program: "start", Together: "two"},
		{Symbol: "p.stop", Program: "stop", Together: "two"},
		{Symbol: "p.extra", Program: "extra", Optional: true},
	},
	Functions: []probe.Function{{Symbol: "p.T.Close", Slot: 8}, {Symbol: "p.U.Close", Slot: 12}},
	Fields: []probe.Field{
		{Field: probe.ModuleTypes, Slot: 16, Optional: true},
		{Field: model.Field{Module: model.ModuleStd, Package: "p", Struct: "old", Field: "name"}, Slot: 20, Optional: true},
		{Field: model.Field{Module: model.ModuleStd, Package: "p", Struct: "new", Field: "name"}, Slot: 20, Optional: true},
	},
}

func planPairs(t *testing.T, b *model.Binary, functions ...string) plan.Library {
	t.Helper()
	code, err := hex.DecodeString("493b6610760555")
	if err != nil {
		t.Fatal(err)
	}
	b.GoVersion, b.Arch, b.Functions = "1.26.8", model.AMD64, map[string]model.Function{}
	for i, function := range functions {
		b.Functions[function] = model.Function{Name: function, Code: code, Address: 0x401000 + uint64(i)*0x100}
	}
	return plan.Build(b, []probe.Library{pairs}, func(field model.Field) (model.FieldOffset, error) {
		switch {
		case field == probe.ModuleTypes:
			return model.FieldOffset{Offset: 8, Exists: true}, nil
		case field.Struct == "old":
			return model.FieldOffset{Offset: 24, Exists: true}, nil
		}
		return model.FieldOffset{}, nil // this version has none
	}, nil).Libraries[0]
}

func TestAFunctionThatWasInlinedSomewhereIsNotCountedOn(t *testing.T) {
	code, err := hex.DecodeString("493b6610760555")
	if err != nil {
		t.Fatal(err)
	}
	profile := map[string]string{"-pgo": "cpu.pgo"}
	for name, c := range map[string]struct {
		binary  model.Binary
		leftOut string
		notes   string
	}{
		"nothing was": {binary: model.Binary{Settings: profile}},
		"one that is needed, without a profile": {
			binary: model.Binary{Settings: map[string]string{"-compiler": "gc"}, Inlined: map[string]string{"p.serve": "p.loop"}},
			notes:  "p.serve: the compiler has inlined calls of it into p.loop",
		},
		"one that is needed":                {binary: model.Binary{Inlined: map[string]string{"p.serve": "p.loop"}}, leftOut: "inlined calls of it into p.loop"},
		"one that is optional":              {binary: model.Binary{Settings: profile, Inlined: map[string]string{"p.end": "p.loop"}}, notes: "p.end: the compiler has inlined calls of it into p.loop"},
		"one that is, without a profile":    {binary: model.Binary{Inlined: map[string]string{"p.end": "p.loop"}}},
		"nobody knows, with a profile":      {binary: model.Binary{Settings: profile, InlinedUnknown: true}, notes: "not known"},
		"nobody knows, and it is no matter": {binary: model.Binary{InlinedUnknown: true}},
	} {
		t.Run(name, func(t *testing.T) {
			b := c.binary
			b.GoVersion, b.Arch = "1.26.8", model.AMD64
			b.Functions = map[string]model.Function{"p.serve": {Code: code}, "p.end": {Code: code}}
			l := plan.Build(&b, []probe.Library{optHook}, known(0), nil).Libraries[0]
			if !strings.Contains(l.LeftOut, c.leftOut) || (l.LeftOut == "") != (c.leftOut == "") {
				t.Errorf("left out: %q", l.LeftOut)
			}
			if notes := strings.Join(l.Notes, "; "); !strings.Contains(notes, c.notes) || (notes == "") != (c.notes == "") {
				t.Errorf("notes: %q", notes)
			}
		})
	}
	everywhere := &model.Binary{GoVersion: "1.26.8", Arch: model.AMD64, Settings: profile, Inlined: map[string]string{"p.serve": "p.loop"}}
	if l := plan.Build(everywhere, []probe.Library{optHook}, known(0), nil).Libraries[0]; l.Unused || !strings.Contains(l.LeftOut, "p.loop") {
		t.Errorf("inlined everywhere: unused %t, left out %q", l.Unused, l.LeftOut)
	}
	everywhere.Settings = nil
	if l := plan.Build(everywhere, []probe.Library{optHook}, known(0), nil).Libraries[0]; !l.Unused {
		t.Errorf("inlined everywhere without a profile: left out %q", l.LeftOut)
	}
}

func TestHooksThatBelongTogetherAreThereTogether(t *testing.T) {
	for name, c := range map[string]struct {
		functions []string
		sites     int
		unused    bool
		leftOut   bool
	}{
		"both":                {functions: []string{"p.begin", "p.end", "p.start", "p.stop"}, sites: 4},
		"one of them":         {functions: []string{"p.start", "p.stop"}, sites: 2},
		"half of one":         {functions: []string{"p.begin", "p.start", "p.stop"}, sites: 3, leftOut: true},
		"nothing to begin at": {functions: []string{"p.extra"}, unused: true},
	} {
		l := planPairs(t, &model.Binary{}, c.functions...)
		if len(l.Sites) != c.sites || l.Unused != c.unused || (l.LeftOut != "") != c.leftOut {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

func TestAddressesAreDistancesFromTheCode(t *testing.T) {
	functions := []string{"p.begin", "p.end", "p.T.Close"}
	known := planPairs(t, &model.Binary{Text: 0x401000, Moduledata: []uint64{0, 0x500000}}, functions...)
	unknown := planPairs(t, &model.Binary{}, functions...)
	for slot, want := range map[int][2]uint32{
		4:  {6, probe.Absent},     // the `push` of p.begin
		8:  {0x200, probe.Absent}, // p.T.Close
		12: {probe.Absent, probe.Absent},
		16: {0xff000, probe.Absent}, // the types
		20: {24, 24},                // under its old name
	} {
		got := [2]uint32{binary.LittleEndian.Uint32(known.Offsets[slot:]), binary.LittleEndian.Uint32(unknown.Offsets[slot:])}
		if got != want {
			t.Errorf("slot %d: %#x with moduledata, %#x without; want %#x", slot, got[0], got[1], want)
		}
	}
}

func TestWhatDependsOnAnotherLibraryIsThereIfThatIsTraced(t *testing.T) {
	code, err := hex.DecodeString("493b6610760555")
	if err != nil {
		t.Fatal(err)
	}
	libraries := []probe.Library{
		{Name: "one", Hooks: []probe.Hook{
			{Symbol: "p.begin", Program: "begin"},
			{Symbol: "p.other", Program: "discard", Optional: true, IfTraced: []string{"two"}},
		}, Children: []string{"two"}, ChildrenSlot: 4, OffsetsSize: 8},
		{
			Name: "two", Hooks: []probe.Hook{{Symbol: "p.start", Program: "start"}}, OffsetsSize: 4,
			Fields: []probe.Field{{Field: model.Field{Package: "p", Struct: "s", Field: "name"}}},
		},
	}
	for name, c := range map[string]struct {
		functions []string
		known     bool
		sites     int
		children  byte
	}{
		"both are used":           {[]string{"p.begin", "p.other", "p.start"}, true, 2, 1},
		"the other is left out":   {[]string{"p.begin", "p.other", "p.start"}, false, 1, 0},
		"the other is not used":   {[]string{"p.begin", "p.other"}, true, 1, 0},
		"there is no such symbol": {[]string{"p.begin", "p.start"}, true, 1, 1},
	} {
		b := &model.Binary{GoVersion: "1.26.8", Arch: model.AMD64, Functions: map[string]model.Function{}}
		for _, function := range c.functions {
			b.Functions[function] = model.Function{Name: function, Code: code}
		}
		l := plan.Build(b, libraries, func(model.Field) (model.FieldOffset, error) {
			if !c.known {
				return model.FieldOffset{}, errors.New("not known")
			}
			return model.FieldOffset{Exists: true}, nil
		}, nil).Libraries[0]
		if len(l.Sites) != c.sites {
			t.Errorf("%s: %+v", name, l.Sites)
		}
		if want := []byte{0, 0, 0, 0, c.children, 0, 0, 0}; !bytes.Equal(l.Offsets, want) {
			t.Errorf("%s: offsets %v, want %v", name, l.Offsets, want)
		}
	}
}

func TestATypeIsGivenAsItsDistanceFromTheCode(t *testing.T) {
	code, err := hex.DecodeString("493b6610760555")
	if err != nil {
		t.Fatal(err)
	}
	library := probe.Library{
		Name: "m", OffsetsSize: 16,
		Hooks: []probe.Hook{{Symbol: "p.begin", Program: "begin"}},
		Types: []probe.Type{{Name: "p.key", Slot: 4}, {Name: "p.none", Slot: 8}},
	}
	b := &model.Binary{
		GoVersion: "1.26.8", Arch: model.AMD64, Text: 0x401000, Moduledata: []uint64{0, 0x500000},
		Functions: map[string]model.Function{"p.begin": {Name: "p.begin", Address: 0x401000, Code: code}},
	}
	lookup := func(field model.Field) (model.FieldOffset, error) {
		return model.FieldOffset{Offset: 8, Exists: field == probe.ModuleTypes}, nil
	}
	types := func(types uint64, name string) (uint64, error) {
		if types != 0x500000 {
			t.Errorf("the types are sought at %#x", types)
		}
		if name == "p.key" {
			return 0x501000, nil
		}
		return 0, errors.New("no such type")
	}
	l := plan.Build(b, []probe.Library{library}, lookup, types).Libraries[0]
	if key, none := binary.LittleEndian.Uint32(l.Offsets[4:]), binary.LittleEndian.Uint32(l.Offsets[8:]); key != 0x100000 || none != probe.Absent {
		t.Errorf("the types are at %#x and %#x", key, none)
	}
	if !l.Traced() || len(l.Notes) != 1 || !strings.Contains(l.Notes[0], "p.none: no such type") {
		t.Errorf("left out %q, notes %q", l.LeftOut, l.Notes)
	}
}

func TestOfFieldsThatShareASlotOneThatIsFoundIsEnough(t *testing.T) {
	code, err := hex.DecodeString("493b6610760555")
	if err != nil {
		t.Fatal(err)
	}
	field := func(module string) probe.Field {
		return probe.Field{Field: model.Field{Module: module, Package: "example.com/a/b", Struct: "s", Field: "name"}, Slot: 4, Optional: true}
	}
	library := probe.Library{
		Name: "m", OffsetsSize: 8, Hooks: []probe.Hook{{Symbol: "p.begin", Program: "begin"}},
		Fields: []probe.Field{field("example.com/a"), field("example.com/a/b")},
	}
	b := &model.Binary{GoVersion: "1.26.8", Arch: model.AMD64, Functions: map[string]model.Function{"p.begin": {Name: "p.begin", Code: code}}}
	for module, notes := range map[string]int{"example.com/a": 0, "example.com/a/b": 0, "neither": 1} {
		l := plan.Build(b, []probe.Library{library}, func(field model.Field) (model.FieldOffset, error) {
			if field.Module == module {
				return model.FieldOffset{Offset: 40, Exists: true}, nil
			}
			return model.FieldOffset{}, errors.New("not named")
		}, nil).Libraries[0]
		if got := binary.LittleEndian.Uint32(l.Offsets[4:]); (got == 40) != (notes == 0) || len(l.Notes) != notes {
			t.Errorf("%s has it: %d, notes %q", module, got, l.Notes)
		}
	}
}

// Looking into debug information takes longer than all the rest.
func TestWhatAModuleHasThatIsNotLinkedIsNotLookedUp(t *testing.T) {
	const module = "example.com/m"
	asking := probe.Library{
		Name: "asking", Hooks: []probe.Hook{{Symbol: "p.f", Program: "f"}}, OffsetsSize: 4,
		Fields: []probe.Field{{Field: model.Field{Module: module, Package: module, Struct: "s", Field: "f"}, Optional: true}},
	}
	hooking := func(symbol string) probe.Library {
		return probe.Library{Name: symbol, Hooks: []probe.Hook{{Symbol: symbol, Program: "g"}}}
	}
	for name, test := range map[string]struct {
		libraries []probe.Library
		asked     bool
	}{
		"nobody hooks anything of it":      {[]probe.Library{asking}, true},
		"it has none of what others hook":  {[]probe.Library{asking, hooking(module + ".missing"), hooking(module + "/p.missing")}, false},
		"it has some of what others hook":  {[]probe.Library{asking, hooking(module + ".missing"), hooking(module + ".there"), hooking(module + ".missing")}, true},
		"others hook what is called alike": {[]probe.Library{asking, hooking(module + "ore.missing")}, true},
	} {
		code := bytesOf(t, "493b6610 7605 55")
		b := &model.Binary{GoVersion: "1.26.8", Arch: model.AMD64, Functions: map[string]model.Function{
			"p.f": {Name: "p.f", Code: code}, module + ".there": {Name: module + ".there", Code: code},
		}}
		asked := false
		plan.Build(b, test.libraries, func(field model.Field) (model.FieldOffset, error) {
			asked = asked || field.Module == module
			return known(8)(field)
		}, nil)
		if asked != test.asked {
			t.Errorf("%s: looked up: %t", name, asked)
		}
	}
}
