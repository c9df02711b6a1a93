package probe_test

import (
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"go.opentelemetry.io/otel/attribute"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// object has programs of these names.
func object(programs ...string) func() (*ebpf.CollectionSpec, error) {
	return func() (*ebpf.CollectionSpec, error) {
		spec := &ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{}}
		for _, name := range programs {
			spec.Programs[name] = &ebpf.ProgramSpec{Type: ebpf.Kprobe}
		}
		return spec, nil
	}
}

func decode([]byte, *model.Span, probe.DecodeOptions) error { return nil }

// fitting are libraries without a mistake: a server, a client of it, and programs that work for
// clients.
func fitting() []probe.Library {
	documented := []probe.Attribute{{Key: attribute.Key("a.key"), From: "nowhere"}}
	field := model.Field{Module: "example.com/m", Package: "example.com/m", Struct: "s", Field: "f"}
	return []probe.Library{
		{
			Name: "server", Role: probe.RoleServer, ChildrenSlot: 4, OffsetsSize: 8,
			Hooks: []probe.Hook{
				{Symbol: "s.begin", Program: "begin"},
				{Symbol: "s.end", Program: "end"},
			},
			Fields: []probe.Field{{Field: probe.GoroutineID}},
			Load:   object("begin", "end"), Decode: decode, Attributes: documented,
		},
		{
			Name: "client", Role: probe.RoleClient, OffsetsSize: 24,
			Hooks: []probe.Hook{{
				Symbol: "c.call", Event: probe.Return, Program: "end",
				Deferred: &probe.Deferred{Program: "end_deferring", Results: 3, Slot: 4},
			}},
			Parents: []probe.Name{"server"},
			Extensions: []probe.Extension{{
				Of: "helper", Hooks: []probe.Hook{{Symbol: "c.write", Program: "write"}},
				Fields: []probe.Field{{Field: field, Slot: 4, Optional: true}},
			}},
			Load: object("end", "end_deferring"), Decode: decode, Attributes: documented,
		},
		{
			Name: "helper", WorksFor: []probe.Role{probe.RoleClient}, OffsetsSize: 8,
			Fields: []probe.Field{{Field: probe.GoroutineID}},
			Load:   object("write"),
		},
	}
}

func TestMistakesThatTheCompilerDoesNotSeeAreReported(t *testing.T) {
	if err := probe.Check(fitting()); err != nil {
		t.Fatalf("libraries without a mistake: %v", err)
	}
	const server, client, helper = 0, 1, 2
	for name, c := range map[string]struct {
		mistake func([]probe.Library)
		says    string
	}{
		"a program that there is not": {
			func(l []probe.Library) { l[server].Hooks[1].Program = "ends" },
			`server: there is no program "ends" in the object of server`,
		},
		"a program that nothing attaches": {
			func(l []probe.Library) { l[server].Hooks = l[server].Hooks[:1] },
			`server: no hook attaches the program "end"`,
		},
		"a program for a deferred function that there is not": {
			func(l []probe.Library) { l[client].Hooks[0].Deferred.Program = "none" },
			`client: there is no program "none" in the object of client`,
		},
		"a program of another library that there is not": {
			func(l []probe.Library) { l[client].Extensions[0].Hooks[0].Program = "read" },
			`client: there is no program "read" in the object of helper`,
		},
		"an extension of no library": {
			func(l []probe.Library) { l[client].Extensions[0].Of = "helpers" },
			`client: there is no library "helpers" to extend`,
		},
		"a parent that is no library": {
			func(l []probe.Library) { l[client].Parents[0] = "servers" },
			`client: there is no library "servers" whose operations have children`,
		},
		"a parent without children": {
			func(l []probe.Library) { l[client].Parents[0] = "helper" },
			`client: there is no library "helper" whose operations have children`,
		},
		"a slot outside of the offsets": {
			func(l []probe.Library) { l[server].Fields[0].Slot = 8 },
			"server: the slot of runtime.g.goid, 8, is outside of 8 bytes of offsets",
		},
		"a slot that is none": {
			func(l []probe.Library) { l[server].Hooks[0].SiteSlot = 3 },
			"server: the slot of s.begin, 3, is outside",
		},
		"results outside of the offsets": {
			func(l []probe.Library) { l[client].Hooks[0].Deferred.Results = 4 },
			"client: the slot of c.call, 4, is outside of 24 bytes of offsets",
		},
		"a field of an extension in a slot of the library": {
			func(l []probe.Library) { l[client].Extensions[0].Fields[0].Slot = 0 },
			"client: example.com/m.s.f has the slot of a field of helper",
		},
		"a field of two extensions in one slot": {
			func(l []probe.Library) {
				l[server].Extensions = []probe.Extension{{Of: "helper", Fields: l[client].Extensions[0].Fields}}
			},
			"client: example.com/m.s.f has the slot of a field that server adds to helper",
		},
		"a field of an extension that must be there": {
			func(l []probe.Library) { l[client].Extensions[0].Fields[0].Optional = false },
			"client: example.com/m.s.f is not optional, but helper is traced without client",
		},
		"a name twice": {
			func(l []probe.Library) { l[helper].Name = "server" },
			"server: a library has a name of its own",
		},
		"no name": {
			func(l []probe.Library) { l[helper].Name = "" },
			"a library has a name of its own",
		},
		"no object": {
			func(l []probe.Library) { l[helper].Load = nil },
			"helper: it has no object of programs",
		},
		"neither a role nor any that it works for": {
			func(l []probe.Library) { l[helper].WorksFor = nil },
			"helper: a library has a role, or works for those of some",
		},
		"a role without a decoder": {
			func(l []probe.Library) { l[client].Decode = nil },
			"client: a library with a role has a decoder",
		},
		"a role without attributes": {
			func(l []probe.Library) { l[client].Attributes = nil },
			"client: a library with a role has a decoder, and attributes",
		},
		"children that nobody tells of": {
			func(l []probe.Library) { l[server].ChildrenSlot = 0 },
			"server: a library whose operations have children has a slot that says so",
		},
		"a call of nothing": {
			func(l []probe.Library) { l[server].Hooks[0].Event = probe.Call },
			"server: a hook on s.begin has a callee if it is on a call",
		},
	} {
		libraries := fitting()
		c.mistake(libraries)
		if err := probe.Check(libraries); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

func TestRulesOfAModuleAreJoined(t *testing.T) {
	gone := probe.Gone{Since: "v1.1.0", Fields: []string{"m.s"}, Reason: "it is m.t"}
	one := probe.Rule{
		Module: "m", Oldest: "v1.0.0", Requirers: []string{"a"}, Gone: []probe.Gone{gone},
		Programs: []string{"one"},
	}
	other := probe.Rule{Module: "m", Requirers: []string{"b"}, Programs: []string{"other"}}
	rules, err := probe.Rules([]probe.Rule{one, other, one})
	if err != nil {
		t.Fatal(err)
	}
	joined := rules["m"]
	if joined.Oldest != "v1.0.0" || strings.Join(joined.Requirers, " ") != "a b" ||
		len(joined.Gone) != 1 || strings.Join(joined.Programs, " ") != "one other" {
		t.Errorf("%+v", joined)
	}
	if _, err := probe.Rules([]probe.Rule{other}); err == nil {
		t.Error("no rule says which version is the oldest")
	}
	other.Oldest = "v1.2.0"
	if _, err := probe.Rules([]probe.Rule{one, other}); err == nil {
		t.Error("two rules do not agree which version is the oldest")
	}
}
