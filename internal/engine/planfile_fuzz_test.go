//go:build linux && (amd64 || arm64)

package engine_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/testing/tiny"
	"github.com/spanprobe/spanprobe/offsets"
)

// FuzzPlanFile inspects and plans files with all libraries and the offsets of all releases, as
// the engine does.
func FuzzPlanFile(f *testing.F) {
	for _, data := range tinyServers() {
		f.Add(data)
	}
	libraries := all.Libraries()
	f.Fuzz(func(t *testing.T, data []byte) {
		b, p, err := planBounded(t, libraries, data)
		if (b == nil || p == nil) == (err == nil) {
			t.Fatalf("the answer is %v, %v and %v", b, p, err)
		}
		if err != nil {
			return
		}
		for i, l := range p.Libraries {
			if l.Traced() &&
				(len(l.Sites) == 0 || len(l.Offsets) != int(libraries[i].OffsetsSize)) {
				t.Errorf(
					"%s is traced by %d sites, and has %d bytes of offsets",
					l.Library,
					len(l.Sites),
					len(l.Offsets),
				)
			}
			for _, site := range l.Sites {
				if site.FileOffset >= uint64(len(data)) {
					t.Errorf(
						"%s: a site behind the end of a file of %d bytes: %+v",
						l.Library,
						len(data),
						site,
					)
				}
			}
		}
	})
}

// What is fuzzed has to get as far as a plan.
func TestTinyServersAreTraced(t *testing.T) {
	for name, data := range tinyServers() {
		_, p, err := planBounded(t, all.Libraries(), data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, l := range p.Libraries {
			if !l.Traced() {
				t.Errorf(
					"%s: %s is not traced: %q, unused: %t",
					name,
					l.Library,
					l.LeftOut,
					l.Unused,
				)
			}
		}
		if p.Goroutine == nil {
			t.Errorf("%s: it is not known how goroutines end", name)
		}
	}
}

func planBounded(
	t *testing.T,
	libraries []probe.Library,
	data []byte,
) (b *model.Binary, p *plan.Plan, err error) {
	t.Helper()
	size := int64(len(data))
	work := tiny.Measure(bytes.NewReader(data), func(file io.ReaderAt) {
		b, p, err = engine.PlanFile(file, size, "fuzz", libraries, offsets.Default())
	})
	if !work.Within(tiny.Bounds(size)) {
		t.Errorf("a file of %d bytes took %+v", size, work)
	}
	return b, p, err
}

// tinyServers are executables that have all that is asked for of functions, fields and types,
// but for functions of which versions have either.
func tinyServers() map[string][]byte {
	servers := map[string][]byte{}
	for name, p := range map[string]tiny.Program{
		"of a release":             {},
		"of an unknown release":    {GoVersion: "go1.26.999", DWARF5: true},
		"compressed":               {GoVersion: "go1.26.999", DWARF5: true, Compress: "zlib"},
		"position-independent":     {PIE: true},
		"for arm64":                {ARM64: true},
		"for arm64, of no release": {ARM64: true, GoVersion: "go1.26.999"},
	} {
		servers[name] = tinyServer(p)
	}
	return servers
}

const codeSize = 48 // bytes of each function

func tinyServer(p tiny.Program) []byte {
	libraries := all.Libraries()
	var symbols []string
	for _, symbol := range slices.Compact(slices.Sorted(slices.Values(probe.Symbols(libraries)))) {
		if !excluded(libraries, symbol, symbols) {
			symbols = append(symbols, symbol)
		}
	}
	for _, symbol := range symbols {
		p.Functions = append(
			p.Functions,
			tiny.Function{Name: symbol, Code: codeOf(p.ARM64, symbol, symbols)},
		)
	}
	p.Fields = slices.Clone(probe.Fields(libraries))
	slices.SortFunc(p.Fields, func(x, y model.Field) int {
		return cmp.Or(
			strings.Compare(x.Package, y.Package),
			strings.Compare(x.Struct, y.Struct),
			strings.Compare(x.Field, y.Field),
		)
	})
	var text []byte
	for _, f := range p.Functions {
		text = append(text, f.Code...)
	}
	types := tiny.Main + uint64(len(text))
	module := make([]byte, 384)
	for at := 0; at < len(module); at += 8 {
		binary.LittleEndian.PutUint64(module[at:], types) // moduledata.types is one of these words
	}
	return p.With(
		map[string][]byte{".text": append(text, descriptions(libraries)...), ".go.module": module},
	)
}

// excluded tells whether a function is hooked where another one is not, that is there.
func excluded(libraries []probe.Library, symbol string, there []string) bool {
	for _, l := range libraries {
		for _, hook := range l.Hooks {
			for _, condition := range hook.When {
				lacks, ok := condition.(probe.Lacks)
				if ok && hook.Symbol == symbol && slices.Contains(there, string(lacks)) {
					return true
				}
			}
		}
	}
	return false
}

// codeOf is a function that has a stack check, calls another one, and returns. What a hook
// wants to be called, it calls; the one that takes ids of goroutines adds 16 to something.
func codeOf(arm64 bool, symbol string, symbols []string) []byte {
	code, ids, call := "493b6610 7605 55 4889e5 5d c3", "ba10000000 488d3500000000 f0480fc116", " e8"
	if arm64 {
		code, ids, call = "900b40f9 ff6330eb c9000054 fe0f1df8 c0035fd6", "e0037cb2 01000090 21400091 2200e0f8", ""
	}
	if symbol == probe.NewGoroutine {
		code += ids
	}
	code += call
	b, err := hex.DecodeString(strings.ReplaceAll(code, " ", ""))
	if err != nil {
		panic(err)
	}
	callee := 0
	for _, l := range all.Libraries() {
		for _, hook := range l.Hooks {
			if hook.Event == probe.Call && hook.Symbol == symbol {
				callee = slices.Index(symbols, hook.Callee)
			}
		}
	}
	distance := (callee - slices.Index(symbols, symbol)) * codeSize
	if arm64 {
		b = binary.LittleEndian.AppendUint32(b, 0x94000000|uint32(distance-len(b))>>2&0x3ffffff)
		return append(b, make([]byte, codeSize-len(b))...)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(distance-len(b)-4))
	return append(b, bytes.Repeat([]byte{0xcc}, codeSize-len(b))...)
}

// descriptions are internal/abi.Type of every type that is asked for, with their names.
func descriptions(libraries []probe.Library) (all []byte) {
	for _, l := range libraries {
		for _, t := range l.Types {
			d := make([]byte, 48)
			d[0], d[20], d[21], d[23] = 8, 1<<2, 8, 25
			binary.LittleEndian.PutUint32(d[40:], uint32(len(all)+len(d)))
			all = append(append(all, d...), 0, byte(len(t.Name)))
			all = append(all, t.Name...)
			all = append(all, make([]byte, -len(all)&7)...)
		}
	}
	return all
}
