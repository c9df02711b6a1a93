package plan_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/golden"

	"github.com/spanprobe/spanprobe/internal/inspect"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/testing/testbinary"
)

// server is hooked as package bpf/nethttp hooks it; a Return beside that shows
// what it would cost.
var server = probe.Library{
	Name: "net/http",
	Hooks: []probe.Hook{
		{Symbol: "net/http.serverHandler.ServeHTTP", Event: probe.Enter, Program: "serve_http"},
		{
			Symbol: "net/http.(*response).finishRequest", Event: probe.Enter,
			Program: "finish_request",
		},
		{
			Symbol: "net/http.(*conn).serve.func1", Event: probe.Enter, Program: "end_connection",
			Optional: true,
		},
	},
	Fields: []probe.Field{
		{Field: probe.MapLayout, Slot: 0, Optional: true},
		{
			Field: model.Field{
				Module: model.ModuleStd, Package: "net/http", Struct: "response", Field: "status",
			},
			Slot: 4,
		},
	},
	OffsetsSize: 8,
}

var returns = probe.Library{
	Name: "returns",
	Hooks: []probe.Hook{
		{Symbol: "net/http.(*response).finishRequest", Event: probe.Return, Program: "finished"},
	},
}

// forms are the ways of linking that must not change a plan.
var forms = map[model.Arch][]testbinary.Form{
	model.AMD64: {testbinary.Plain, testbinary.Stripped, testbinary.PIE},
	model.ARM64: {testbinary.Plain, testbinary.Stripped},
}

// oldest is the first release for which functions get their arguments in
// registers, where that is not the first of all.
var oldest = map[model.Arch]string{model.ARM64: "1.18.10"}

func TestPlansOfRealServersAreAsRecorded(t *testing.T) {
	for _, build := range builds() {
		name := fmt.Sprintf("go%s_%s.golden", build.Go, build.Arch) // of all forms
		t.Run(build.String(), func(t *testing.T) {
			path := testbinary.Server(t, build)
			b := inspectFile(t, path)
			p := plan.Build(b, []probe.Library{server, returns}, known(120), nil)
			got := describe(t, b, p, path)
			golden.Assert(t, got, name, "the plan changed; if that is right, run go test -update")
		})
	}
}

func TestEverySiteOfAServerIsEmulatedAndHasTheFlagsOfTheStackCheck(t *testing.T) {
	for _, build := range builds() {
		chosen := "push %rbp"
		switch {
		case build.Arch == model.ARM64:
			chosen = "b.ls "
		case strings.HasPrefix(build.Go, "1.17.") || strings.HasPrefix(build.Go, "1.18.") || strings.HasPrefix(build.Go, "1.20."):
			chosen = "jbe "
		}
		p := plan.Build(inspectFile(t, testbinary.Server(t, build)), []probe.Library{server},
			known(120), nil)
		if l := p.Libraries[0]; !l.Traced() || len(l.Sites) != 3 {
			t.Errorf("%s: %d sites, left out: %q", build, len(l.Sites), l.LeftOut)
		}
		for _, site := range p.Libraries[0].Sites {
			if site.Class != plan.Emulated || !strings.HasPrefix(site.Instruction, chosen) {
				t.Errorf("%s: %s at %q, %s", build, site.Symbol, site.Instruction, site.Class)
			}
		}
	}
}

func TestAServerThatPassesArgumentsOnTheStackIsLeftOut(t *testing.T) {
	build := testbinary.Build{Go: "1.17.13", Arch: model.ARM64, Form: testbinary.Plain}
	l := plan.Build(inspectFile(t, testbinary.Server(t, build)), []probe.Library{server}, known(120), nil).Libraries[0]
	if l.Traced() || !strings.Contains(l.LeftOut, "arguments on the stack") ||
		!strings.Contains(l.LeftOut, "1.18") {
		t.Errorf("%s is left out: %q", build, l.LeftOut)
	}
}

// builds lists the servers whose plans are recorded.
func builds() []testbinary.Build {
	var all []testbinary.Build
	for arch, forms := range forms {
		releases := testbinary.Releases()
		for _, release := range releases[max(slices.Index(releases, oldest[arch]), 0):] {
			for _, form := range forms {
				all = append(all, testbinary.Build{Go: release, Arch: arch, Form: form})
			}
		}
	}
	return all
}

// describe writes down what of a plan does not depend on where the linker put
// things, and checks the rest against the file.
func describe(t *testing.T, b *model.Binary, p *plan.Plan, path string) string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var out strings.Builder
	for _, l := range p.Libraries {
		fmt.Fprintf(&out, "%s: offsets % x, left out %q\n", l.Library, l.Offsets, l.LeftOut)
		for _, site := range l.Sites {
			function := b.Functions[site.Symbol]
			at := site.Address - function.Address
			fmt.Fprintf(&out, "  %s %s+%d %q %s\n", site.Event, site.Symbol, at, site.Instruction,
				site.Class)
			var inFile [1]byte
			if _, err := file.ReadAt(inFile[:], int64(site.FileOffset)); err != nil ||
				inFile[0] != function.Code[at] {
				t.Errorf("%s: the file has %#x at the site, its code %#x (%v)", site.Symbol,
					inFile[0], function.Code[at], err)
			}
		}
	}
	return out.String()
}

func inspectFile(t *testing.T, path string) *model.Binary {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	f, err := inspect.Open(file, info.Size(), path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := f.Binary(probe.Symbols([]probe.Library{server, goroutines}))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
