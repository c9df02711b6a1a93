package inspect_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spanprobe/spanprobe/internal/inspect"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/testing/tiny"
)

// timeBound is far from what any inspection takes: it ends one that never would.
const timeBound = time.Minute

func FuzzInspect(f *testing.F) {
	for _, kind := range tiny.Kinds() {
		whole := kind.Bytes()
		f.Add(whole)
		f.Add(whole[:len(whole)/2])
		f.Add(whole[:65])
		for at := 0; at < len(whole); at += 61 {
			damaged := slices.Clone(whole)
			damaged[at] ^= 0xff
			f.Add(damaged)
		}
	}
	for _, data := range lies() {
		if len(data) < 64<<10 { // others are changed too slowly
			f.Add(data)
		}
	}
	f.Fuzz(
		func(t *testing.T, data []byte) { inspectBounded(t, bytes.NewReader(data), int64(len(data))) },
	)
}

// FuzzDebugInfo changes debug information alone, which would else be behind all
// the rest, of an executable of which nothing else tells the version of Go, too.
func FuzzDebugInfo(f *testing.F) {
	for _, version5 := range []bool{false, true} {
		info, abbrev := tiny.Program{DWARF5: version5}.DebugInfo()
		f.Add(info, abbrev)
		f.Add(
			append(tiny.Words32(0xffffffff), append(tiny.Words64(uint64(len(info))), info...)...),
			abbrev,
		)
	}
	// Units of a kind that is not read, and of a version that is not known, before the types.
	info, abbrev := tiny.Program{DWARF5: true}.DebugInfo()
	f.Add(
		append(
			append(tiny.Words32(12), "\x05\x00\x02\x08\x00\x00\x00\x00\x00\x00\x00\x00"...),
			info...),
		abbrev,
	)
	f.Add(append(append(tiny.Words32(2), 6, 0), info...), abbrev)
	f.Fuzz(func(t *testing.T, info, abbrev []byte) {
		for _, kind := range []tiny.Program{{}, {Unsaid: true}} {
			data := kind.With(map[string][]byte{".debug_info": info, ".debug_abbrev": abbrev})
			inspectBounded(t, bytes.NewReader(data), int64(len(data)))
		}
	})
}

// FuzzFunctionTable changes the function table alone, in either layout.
func FuzzFunctionTable(f *testing.F) {
	for _, old := range []bool{false, true} {
		f.Add(tiny.Program{Old: old}.FunctionTable(), old)
	}
	f.Fuzz(func(t *testing.T, table []byte, old bool) {
		data := (tiny.Program{Old: old}).With(map[string][]byte{".gopclntab": table})
		inspectBounded(t, bytes.NewReader(data), int64(len(data)))
	})
}

// FuzzModuledata changes runtime.moduledata, or the relocations of which it is made.
func FuzzModuledata(f *testing.F) {
	fixed, moved := tiny.Program{}.Bytes(), tiny.Program{PIE: true}.Bytes()
	f.Add(tiny.Contents(fixed, ".go.module"), false)
	f.Add(tiny.Contents(moved, ".rela.dyn"), true)
	f.Fuzz(func(t *testing.T, words []byte, pie bool) {
		whole, section := fixed, ".go.module"
		if pie {
			whole, section = moved, ".rela.dyn"
		}
		data := tiny.Changed(whole, section, func(b []byte) { copy(b, words) })
		inspectBounded(t, bytes.NewReader(data), int64(len(data)))
	})
}

// FuzzBuildInfo changes the build information alone, in either form.
func FuzzBuildInfo(f *testing.F) {
	fixed, old := tiny.Program{}, tiny.Program{Old: true}.Bytes()
	f.Add(fixed.BuildInfo(), false)
	f.Add(tiny.Contents(old, ".go.buildinfo"), true)
	mod := "\x30" + strings.Repeat("s", 16) + "path\ta.b/c\nmod\t" + strings.Repeat("e", 16)
	f.Add(
		slices.Concat(
			[]byte("\xff Go buildinf:\x08\x02"), make([]byte, 16), []byte("\x08go1.26.8"),
			[]byte(mod),
		),
		false,
	)
	f.Fuzz(func(t *testing.T, info []byte, pointers bool) {
		data := fixed.With(map[string][]byte{".go.buildinfo": info})
		if pointers {
			data = tiny.Changed(old, ".go.buildinfo", func(b []byte) { copy(b, info) })
		}
		b, err := inspectBounded(t, bytes.NewReader(data), int64(len(data)))
		if err == nil &&
			(len(b.GoVersion) > 256 || !utf8.ValidString(b.GoVersion+b.Main.Path+b.Main.Version)) {
			t.Errorf("Go %q, main module %q", b.GoVersion, b.Main)
		}
	})
}

// FuzzTypes looks for a type among any bytes.
func FuzzTypes(f *testing.F) {
	const name = "http.response"
	description := make([]byte, 48) // internal/abi.Type of a struct of eight bytes
	description[0], description[20], description[21], description[23], description[40] = 8, 1<<2, 8, 25, 48
	f.Add(append(description, "\x00\x0d"+name...))
	f.Fuzz(func(t *testing.T, types []byte) {
		data := (tiny.Program{}).With(map[string][]byte{".text": types})
		file, err := inspect.Open(bytes.NewReader(data), int64(len(data)), "fuzz")
		if err != nil {
			t.Fatal(err)
		}
		address, err := file.TypeAddress(tiny.Main, "main", name)
		if err == nil && (address < tiny.Main || address >= tiny.Text+uint64(len(data))) {
			t.Errorf("it is at %#x, in a file of %d bytes at %#x", address, len(data), tiny.Text)
		}
	})
}

// inspectBounded does all that is ever done with an executable, and fails the
// test if that takes more than it may.
func inspectBounded(t *testing.T, reader io.ReaderAt, size int64) (*model.Binary, error) {
	t.Helper()
	var b *model.Binary
	var err error
	start := time.Now()
	work := tiny.Measure(reader, func(file io.ReaderAt) { b, err = inspectAll(file, size) })
	if took := time.Since(start); took > timeBound || !work.Within(tiny.Bounds(size)) {
		t.Errorf("a file of %d bytes took %s and %+v", size, took, work)
	}
	if (b == nil) == (err == nil) {
		t.Errorf("the answer is %v and %v", b, err)
	}
	return b, err
}

var status = model.Field{Package: "net/http", Struct: "response", Field: "status"}

// inspectAll does all that is ever done with an executable.
func inspectAll(reader io.ReaderAt, size int64) (*model.Binary, error) {
	f, err := inspect.Open(reader, size, "fuzz")
	if err != nil {
		return nil, err
	}
	b, err := f.Binary(wanted)
	if err != nil {
		return nil, err
	}
	// Errors are answers too.
	if b.Moduledata != nil {
		_, _ = f.TypeAddress(b.Moduledata[len(b.Moduledata)-1], "net/http", "http.response")
	}
	_, _, _ = f.FieldOffset(status, map[string]bool{"net/http.response": true})
	return b, nil
}

func inspectBytes(data []byte) (*model.Binary, error) {
	return inspectAll(bytes.NewReader(data), int64(len(data)))
}
