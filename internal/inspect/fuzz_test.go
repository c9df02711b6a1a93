package inspect_test

import (
	"bytes"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spanprobe/spanprobe/internal/inspect"
	"github.com/spanprobe/spanprobe/internal/model"
)

// What an inspection may take, whatever the file says.
const (
	memoryBound = 128 << 20 // bytes that are allocated in all
	readBound   = 640 << 20
	callsBound  = 4 << 20 // reads
	timeBound   = time.Minute
)

func FuzzInspect(f *testing.F) {
	for _, kind := range tinies() {
		whole := kind.bytes()
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
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { inspectBounded(t, bytes.NewReader(data), int64(len(data))) })
}

// FuzzDebugInfo changes debug information alone, which would else be behind all
// the rest, of an executable of which nothing else tells the version of Go, too.
func FuzzDebugInfo(f *testing.F) {
	var info, abbrev []byte
	for _, p := range (tiny{}).parts() {
		switch p.name {
		case ".debug_info":
			info = p.data
		case ".debug_abbrev":
			abbrev = p.data
		}
	}
	f.Add(info, abbrev)
	f.Add(append(words32(0xffffffff), append(words64(uint64(len(info))), info...)...), abbrev)
	f.Fuzz(func(t *testing.T, info, abbrev []byte) {
		for _, kind := range []tiny{{}, {unsaid: true}} {
			data := kind.with(map[string][]byte{".debug_info": info, ".debug_abbrev": abbrev})
			inspectBounded(t, bytes.NewReader(data), int64(len(data)))
		}
	})
}

// FuzzFunctionTable changes the function table alone, in either layout.
func FuzzFunctionTable(f *testing.F) {
	for _, old := range []bool{false, true} {
		f.Add(tiny{old: old}.pclntab(), old)
	}
	f.Fuzz(func(t *testing.T, table []byte, old bool) {
		data := (tiny{old: old}).with(map[string][]byte{".gopclntab": table})
		inspectBounded(t, bytes.NewReader(data), int64(len(data)))
	})
}

// FuzzModuledata changes runtime.moduledata, or the relocations of which it is made.
func FuzzModuledata(f *testing.F) {
	fixed, moved := tiny{}.bytes(), tiny{pie: true}.bytes()
	f.Add(contents(fixed, ".go.module"), false)
	f.Add(contents(moved, ".rela.dyn"), true)
	f.Fuzz(func(t *testing.T, words []byte, pie bool) {
		whole, section := fixed, ".go.module"
		if pie {
			whole, section = moved, ".rela.dyn"
		}
		data := changed(whole, section, func(b []byte) { copy(b, words) })
		inspectBounded(t, bytes.NewReader(data), int64(len(data)))
	})
}

// FuzzBuildInfo changes the build information alone, in either form.
func FuzzBuildInfo(f *testing.F) {
	fixed, old := tiny{}, tiny{old: true}.bytes()
	f.Add(fixed.buildInfo(), false)
	f.Add(contents(old, ".go.buildinfo"), true)
	mod := "\x30" + strings.Repeat("s", 16) + "path\ta.b/c\nmod\t" + strings.Repeat("e", 16)
	f.Add(slices.Concat([]byte("\xff Go buildinf:\x08\x02"), make([]byte, 16), []byte("\x08go1.26.8"), []byte(mod)), false)
	f.Fuzz(func(t *testing.T, info []byte, pointers bool) {
		data := fixed.with(map[string][]byte{".go.buildinfo": info})
		if pointers {
			data = changed(old, ".go.buildinfo", func(b []byte) { copy(b, info) })
		}
		b, err := inspectBounded(t, bytes.NewReader(data), int64(len(data)))
		if err == nil && (len(b.GoVersion) > 256 || !utf8.ValidString(b.GoVersion+b.Main.Path+b.Main.Version)) {
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
		data := (tiny{}).with(map[string][]byte{".text": types})
		file, err := inspect.Open(bytes.NewReader(data), int64(len(data)), "fuzz")
		if err != nil {
			t.Fatal(err)
		}
		address, err := file.TypeAddress(tinyMain, name)
		if err == nil && (address < tinyMain || address >= tinyText+uint64(len(data))) {
			t.Errorf("it is at %#x, in a file of %d bytes at %#x", address, len(data), tinyText)
		}
	})
}

// inspectBounded does all that is ever done with an executable, and fails the
// test if that takes more than it may.
func inspectBounded(t *testing.T, reader io.ReaderAt, size int64) (*model.Binary, error) {
	t.Helper()
	counting := &countingReader{reader: reader}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	b, err := inspectAll(counting, size)
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > memoryBound {
		t.Errorf("%d bytes were allocated for a file of %d", grown, size)
	}
	if counting.bytes > readBound || counting.calls > callsBound || took > timeBound {
		t.Errorf("%d bytes were read in %d reads and %s, of a file of %d", counting.bytes, counting.calls, took, size)
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
		_, _ = f.TypeAddress(b.Moduledata[len(b.Moduledata)-1], "http.response")
	}
	_, _, _ = f.FieldOffset(status, map[string]bool{"net/http.response": true})
	return b, nil
}

func inspectBytes(data []byte) (*model.Binary, error) {
	return inspectAll(bytes.NewReader(data), int64(len(data)))
}

// countingReader counts what is read through it.
type countingReader struct {
	reader       io.ReaderAt
	calls, bytes int64
}

func (r *countingReader) ReadAt(p []byte, at int64) (int, error) {
	n, err := r.reader.ReadAt(p, at)
	r.calls, r.bytes = r.calls+1, r.bytes+int64(n)
	return n, err
}
