package plan_test

import (
	"bytes"
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

// A library of another module than the standard library, hooked in all of the
// ways there are.
var (
	status = model.Field{
		Module: "example.com/m", Package: "example.com/m/p", Struct: "w", Field: "status",
	}
	optHook = probe.Library{
		Name: "m", OffsetsSize: 16,
		Hooks: []probe.Hook{
			{Symbol: "p.serve", Program: "serve"},
			{Symbol: "p.end", Program: "end", Optional: true, Slot: 4},
			{Symbol: "p.more", Program: "more", Optional: true, OnDemand: true, Slot: 8},
			{
				Symbol: "p.with", Program: "with", Optional: true,
				When: []probe.Condition{probe.Has{"p.another", "p.other"}},
			},
			{
				Symbol: "p.old", Program: "old", Optional: true,
				When: []probe.Condition{probe.Lacks("p.other")},
			},
			{
				Symbol: "p.both", Program: "both", Optional: true,
				When: []probe.Condition{probe.Has{"p.other"}, probe.Lacks("p.another")},
			},
			{
				Symbol: "p.stack", Program: "stack", Optional: true,
				When: []probe.Condition{probe.On(model.AMD64)},
			},
			{
				Symbol: "p.registers", Program: "registers", Optional: true,
				When: []probe.Condition{probe.On(model.ARM64)},
			},
			{
				Symbol: "example.com/m/p.write", Program: "write", Optional: true,
				When: []probe.Condition{probe.LacksField(status)},
			},
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
		"only what it must have":     {functions: []string{"p.serve"}, programs: []string{"serve"}},
		"one whose presence is told": {functions: []string{"p.serve", "p.end"}, programs: []string{"serve", "end"}, end: 1},
		"one on demand":              {functions: []string{"p.serve", "p.more"}, programs: []string{"serve", "more"}},
		"one without its companion":  {functions: []string{"p.serve", "p.with"}, programs: []string{"serve"}},
		"one with its companion":     {functions: []string{"p.serve", "p.with", "p.other"}, programs: []string{"serve", "with"}},
		"one without its successor":  {functions: []string{"p.serve", "p.old"}, programs: []string{"serve", "old"}},
		"one with its successor":     {functions: []string{"p.serve", "p.old", "p.other"}, programs: []string{"serve"}},
		"one that meets a condition of two": {
			functions: []string{"p.serve", "p.both", "p.other", "p.another"}, programs: []string{"serve"},
		},
		"one that meets both conditions": {
			functions: []string{"p.serve", "p.both", "p.other"}, programs: []string{"serve", "both"},
		},
		"one for each architecture":     {functions: []string{"p.serve", "p.stack", "p.registers"}, programs: []string{"serve", "stack"}},
		"one for a field not known":     {functions: []string{"p.serve", "example.com/m/p.write"}, programs: []string{"serve", "write"}, notes: 1},
		"one for a field that is known": {functions: []string{"p.serve", "example.com/m/p.write"}, known: true, programs: []string{"serve"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, err := hex.DecodeString("493b6610760555")
			if err != nil {
				t.Fatal(err)
			}
			b := &model.Binary{
				GoVersion: "1.26.8", Arch: model.AMD64, Functions: map[string]model.Function{},
			}
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
			if end, more := binary.LittleEndian.Uint32(l.Offsets[4:]), binary.LittleEndian.Uint32(
				l.Offsets[8:]); end != c.end ||
				more != 0 {
				t.Errorf("the slots say %d and %d", end, more)
			}
			// Nothing of a module is looked up in a binary without it.
			if linked := len(c.functions) > 1 &&
				c.functions[1] == "example.com/m/p.write"; asked != linked {
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
		{
			Field: model.Field{
				Module: model.ModuleStd, Package: "p", Struct: "old", Field: "name",
			},
			Slot:     20,
			Optional: true,
		},
		{
			Field: model.Field{
				Module: model.ModuleStd, Package: "p", Struct: "new", Field: "name",
			},
			Slot:     20,
			Optional: true,
		},
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
		b.Functions[function] = model.Function{
			Name: function, Code: code, Address: 0x401000 + uint64(i)*0x100,
		}
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
			if notes := strings.Join(l.Notes, "; "); !strings.Contains(notes, c.notes) ||
				(notes == "") != (c.notes == "") {
				t.Errorf("notes: %q", notes)
			}
		})
	}
	everywhere := &model.Binary{
		GoVersion: "1.26.8", Arch: model.AMD64, Settings: profile,
		Inlined: map[string]string{"p.serve": "p.loop"},
	}
	if l := plan.Build(everywhere, []probe.Library{optHook}, known(0), nil).Libraries[0]; l.Unused ||
		!strings.Contains(l.LeftOut, "p.loop") {
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
	known := planPairs(
		t,
		&model.Binary{Text: 0x401000, Moduledata: []uint64{0, 0x500000}},
		functions...)
	unknown := planPairs(t, &model.Binary{}, functions...)
	for slot, want := range map[int][2]uint32{
		4:  {6, probe.Absent},     // the `push` of p.begin
		8:  {0x200, probe.Absent}, // p.T.Close
		12: {probe.Absent, probe.Absent},
		16: {0xff000, probe.Absent}, // the types
		20: {24, 24},                // under its old name
	} {
		got := [2]uint32{
			binary.LittleEndian.Uint32(known.Offsets[slot:]),
			binary.LittleEndian.Uint32(unknown.Offsets[slot:]),
		}
		if got != want {
			t.Errorf("slot %d: %#x with moduledata, %#x without; want %#x", slot, got[0], got[1],
				want)
		}
	}
}

// A server, another one that some of its requests become operations of, a client, and programs that
// work for clients.
var companions = []probe.Library{
	{
		Name: "server", Role: probe.RoleServer, ChildrenSlot: 4, OffsetsSize: 12,
		Hooks: []probe.Hook{{Symbol: "s.begin", Program: "begin"}},
	},
	{
		Name: "calls", Role: probe.RoleServer, ChildrenSlot: 4, OffsetsSize: 8,
		Hooks:   []probe.Hook{{Symbol: "c.begin", Program: "begin"}},
		Parents: []probe.Name{"server"},
		Extensions: []probe.Extension{{
			Of:     "server",
			Hooks:  []probe.Hook{{Symbol: "c.take", Program: "discard", Optional: true}},
			Fields: []probe.Field{{Field: ofCalls, Slot: 8, Optional: true}},
		}},
		Fields: []probe.Field{{Field: model.Field{Package: "c", Struct: "s", Field: "name"}}},
	},
	{
		Name: "client", Role: probe.RoleClient, OffsetsSize: 4,
		Hooks: []probe.Hook{{Symbol: "k.begin", Program: "begin"}},
		Extensions: []probe.Extension{
			{
				Of:    "helper",
				Hooks: []probe.Hook{{Symbol: "k.write", Program: "write", Optional: true}},
			},
			{Of: "nowhere", Hooks: []probe.Hook{{Symbol: "k.write", Program: "none"}}},
		},
	},
	{
		Name: "other client", Role: probe.RoleClient, OffsetsSize: 4,
		Hooks: []probe.Hook{{Symbol: "o.begin", Program: "begin"}},
		Extensions: []probe.Extension{
			{
				Of:    "helper",
				Hooks: []probe.Hook{{Symbol: "k.write", Program: "write", Optional: true}},
			},
		},
	},
	{
		Name: "helper", WorksFor: []probe.Role{probe.RoleClient}, OffsetsSize: 4,
		Hooks: []probe.Hook{{Symbol: "h.start", Program: "start", Optional: true}},
	},
}

var ofCalls = model.Field{
	Module: "example.com/c", Package: "example.com/c", Struct: "s", Field: "f",
}

func TestWhatDependsOnAnotherLibraryIsThereIfThatIsTraced(t *testing.T) {
	everything := []string{
		"s.begin", "c.begin", "c.take", "k.begin", "k.write", "o.begin", "h.start",
	}
	without := func(functions ...string) []string {
		return slices.DeleteFunc(slices.Clone(everything), func(f string) bool {
			return slices.Contains(functions, f)
		})
	}
	for name, c := range map[string]struct {
		functions []string
		unknown   bool // a field of the calls is not known
		server    []string
		children  [2]byte // of the server, and of the calls
		helper    []string
	}{
		"all of them": {
			everything, false, []string{"begin", "discard"}, [2]byte{1, 1}, []string{"start", "write"},
		},
		"the calls are left out": {
			everything, true, []string{"begin"}, [2]byte{1, 0}, []string{"start", "write"},
		},
		"the calls are not used": {
			without("c.begin"), false, []string{"begin"}, [2]byte{1, 0}, []string{"start", "write"},
		},
		"one client of two": {
			without("k.begin"), false,
			[]string{"begin", "discard"},
			[2]byte{1, 1},
			[]string{"start", "write"},
		},
		"no client": {
			without("k.begin", "o.begin"), false, []string{"begin", "discard"}, [2]byte{1, 0}, nil,
		},
		"no client, nor calls": {
			without("k.begin", "o.begin", "c.begin"), false, []string{"begin"}, [2]byte{0, 0}, nil,
		},
		"no function that is handed over": {
			without("c.take", "k.write"), false, []string{"begin"}, [2]byte{1, 1}, []string{"start"},
		},
		"no function of its own": {
			without("h.start"), false, []string{"begin", "discard"}, [2]byte{1, 1}, []string{"write"},
		},
		"no function at all": {
			without("h.start", "k.write"), false, []string{"begin", "discard"}, [2]byte{1, 1}, nil,
		},
	} {
		code := bytesOf(t, "493b6610 7605 55")
		b := &model.Binary{
			GoVersion: "1.26.8", Arch: model.AMD64, Functions: map[string]model.Function{},
		}
		for _, function := range c.functions {
			b.Functions[function] = model.Function{Name: function, Code: code}
		}
		p := plan.Build(b, companions, func(field model.Field) (model.FieldOffset, error) {
			if c.unknown && field.Package == "c" {
				return model.FieldOffset{}, errors.New("not known")
			}
			return model.FieldOffset{Offset: 24, Exists: true}, nil
		}, nil)
		programs := func(l plan.Library) (names []string) {
			for _, site := range l.Sites {
				names = append(names, site.Program)
			}
			return names
		}
		server, calls, helper := p.Libraries[0], p.Libraries[1], p.Libraries[4]
		if got := programs(server); !slices.Equal(got, c.server) {
			t.Errorf("%s: the server has %v", name, got)
		}
		if got := programs(helper); !slices.Equal(got, c.helper) ||
			helper.Unused != (c.helper == nil) {
			t.Errorf("%s: the helper has %v, unused: %t", name, got, helper.Unused)
		}
		if want := []byte{
			0, 0, 0, 0, c.children[0], 0, 0, 0, 24, 0, 0, 0,
		}; !bytes.Equal(server.Offsets, want) {
			t.Errorf("%s: offsets of the server %v, want %v", name, server.Offsets, want)
		}
		if calls.Traced() && calls.Offsets[4] != c.children[1] {
			t.Errorf("%s: the calls have children: %d", name, calls.Offsets[4])
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
		Types: []probe.Type{
			{Package: "example.com/p", Name: "p.key", Slot: 4},
			{Package: "example.com/q", Name: "p.key", Slot: 8},
		},
	}
	b := &model.Binary{
		GoVersion:  "1.26.8",
		Arch:       model.AMD64,
		Text:       0x401000,
		Moduledata: []uint64{0, 0x500000},
		Functions: map[string]model.Function{
			"p.begin": {Name: "p.begin", Address: 0x401000, Code: code},
		},
	}
	lookup := func(field model.Field) (model.FieldOffset, error) {
		return model.FieldOffset{Offset: 8, Exists: field == probe.ModuleTypes}, nil
	}
	types := func(types uint64, pkg, name string) (uint64, error) {
		if types != 0x500000 {
			t.Errorf("the types are sought at %#x", types)
		}
		if pkg == "example.com/p" && name == "p.key" {
			return 0x501000, nil
		}
		return 0, errors.New("no such type")
	}
	l := plan.Build(b, []probe.Library{library}, lookup, types).Libraries[0]
	if key, none := binary.LittleEndian.Uint32(l.Offsets[4:]), binary.LittleEndian.Uint32(
		l.Offsets[8:]); key != 0x100000 ||
		none != probe.Absent {
		t.Errorf("the types are at %#x and %#x", key, none)
	}
	if !l.Traced() || len(l.Notes) != 1 || !strings.Contains(l.Notes[0], "p.key: no such type") {
		t.Errorf("left out %q, notes %q", l.LeftOut, l.Notes)
	}
}

func TestOfFieldsThatShareASlotOneThatIsFoundIsEnough(t *testing.T) {
	code, err := hex.DecodeString("493b6610760555")
	if err != nil {
		t.Fatal(err)
	}
	field := func(module string) probe.Field {
		return probe.Field{
			Field: model.Field{
				Module: module, Package: "example.com/a/b", Struct: "s", Field: "name",
			},
			Slot:     4,
			Optional: true,
		}
	}
	library := probe.Library{
		Name: "m", OffsetsSize: 8, Hooks: []probe.Hook{{Symbol: "p.begin", Program: "begin"}},
		Fields: []probe.Field{field("example.com/a"), field("example.com/a/b")},
	}
	b := &model.Binary{
		GoVersion: "1.26.8", Arch: model.AMD64,
		Functions: map[string]model.Function{"p.begin": {Name: "p.begin", Code: code}},
	}
	for module, notes := range map[string]int{"example.com/a": 0, "example.com/a/b": 0, "neither": 1} {
		l := plan.Build(b, []probe.Library{library}, func(field model.Field) (model.FieldOffset, error) {
			if field.Module == module {
				return model.FieldOffset{Offset: 40, Exists: true}, nil
			}
			return model.FieldOffset{}, errors.New("not named")
		}, nil).Libraries[0]
		if got := binary.LittleEndian.Uint32(l.Offsets[4:]); (got == 40) != (notes == 0) ||
			len(l.Notes) != notes {
			t.Errorf("%s has it: %d, notes %q", module, got, l.Notes)
		}
	}
}

// Looking into debug information takes longer than all the rest.
func TestWhatAModuleHasThatIsNotLinkedIsNotLookedUp(t *testing.T) {
	const module = "example.com/m"
	asking := probe.Library{
		Name:        "asking",
		Hooks:       []probe.Hook{{Symbol: "p.f", Program: "f"}},
		OffsetsSize: 4,
		Fields: []probe.Field{
			{
				Field:    model.Field{Module: module, Package: module, Struct: "s", Field: "f"},
				Optional: true,
			},
		},
	}
	hooking := func(symbol string) probe.Library {
		return probe.Library{
			Name: probe.Name(symbol), Hooks: []probe.Hook{{Symbol: symbol, Program: "g"}},
		}
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
		b := &model.Binary{
			GoVersion: "1.26.8",
			Arch:      model.AMD64,
			Functions: map[string]model.Function{
				"p.f": {
					Name: "p.f", Code: code,
				},
				module + ".there": {Name: module + ".there", Code: code},
			},
		}
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
