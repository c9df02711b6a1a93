package inspect_test

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spanprobe/spanprobe/internal/inspect"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/testing/testbinary"
)

var wanted = []string{
	"net/http.serverHandler.ServeHTTP",
	"net/http.(*response).finishRequest",
	"main.main",
	"example.com/no.such",
}

func TestBinaryTellsWhatTheLinkerWasTold(t *testing.T) {
	for _, release := range testbinary.Releases() {
		for _, form := range []testbinary.Form{testbinary.Plain, testbinary.Stripped, testbinary.PIE} {
			build := testbinary.Build{Go: release, Arch: model.AMD64, Form: form}
			t.Run(build.String(), func(t *testing.T) {
				b := inspectFile(t, testbinary.Server(t, build))
				stripped := form == testbinary.Stripped
				if b.GoVersion != release || b.Arch != model.AMD64 || b.Stripped != stripped ||
					b.DWARF == stripped ||
					b.PIE != (form == testbinary.PIE) {
					t.Errorf(
						"it says Go %s, %s, stripped %t, DWARF %t, PIE %t", b.GoVersion, b.Arch,
						b.Stripped, b.DWARF, b.PIE,
					)
				}
				cgo := "0"
				if release == "1.17.13" {
					cgo = "" // before Go 1.18 nobody wrote down settings
				}
				if b.Main.Path != "example.com/testserver" || b.Settings["CGO_ENABLED"] != cgo {
					t.Errorf(
						"it says main module %q and CGO_ENABLED %q", b.Main.Path,
						b.Settings["CGO_ENABLED"],
					)
				}
			})
		}
	}
}

func TestFunctionsAreWhereTheSymbolTableHasThem(t *testing.T) {
	builds := []testbinary.Build{
		// the function table has no section of its own
		{Go: "1.22.12", Arch: model.AMD64, Form: testbinary.CgoPIE},
		{Go: "1.26.8", Arch: model.AMD64, Form: testbinary.CgoPIE},
	}
	for _, release := range testbinary.Releases() {
		builds = append(builds,
			testbinary.Build{Go: release, Arch: model.AMD64, Form: testbinary.Plain},
			testbinary.Build{Go: release, Arch: model.AMD64, Form: testbinary.PIE},
			testbinary.Build{Go: release, Arch: model.ARM64, Form: testbinary.Plain})
	}
	for _, build := range builds {
		t.Run(build.String(), func(t *testing.T) {
			if build.Form == testbinary.CgoPIE && runtime.GOARCH != string(build.Arch) {
				t.Skip("needs a C compiler for ", build.Arch)
			}
			path := testbinary.Server(t, build)
			got := map[string]uint64{}
			for name, function := range inspectFile(t, path).Functions {
				got[name] = function.Address
				if len(function.Code) == 0 || len(function.Code) > model.MaxCode {
					t.Errorf("%s comes with %d bytes of code", name, len(function.Code))
				}
			}
			if diff := cmp.Diff(symbols(t, path), got); diff != "" {
				t.Errorf(
					"the function table disagrees with the symbols (-symbols +table):\n%s", diff,
				)
			}
		})
	}
}

func TestWhatAProfileHadInlinedIsFound(t *testing.T) {
	const end, loop = "net/http.(*response).finishRequest", "net/http.(*conn).serve"
	b := inspectFile(
		t,
		testbinary.Server(
			t, testbinary.Build{Go: "1.26.8", Arch: model.AMD64, Form: testbinary.Profiled},
		),
	)
	if b.InlinedUnknown || b.Inlined[end] != loop || len(b.Inlined) != 1 ||
		!strings.HasSuffix(b.Settings["-pgo"], "server.pgo") {
		t.Errorf(
			"inlined %v (unknown: %t), profile %q", b.Inlined, b.InlinedUnknown, b.Settings["-pgo"],
		)
	}
	for _, release := range testbinary.Releases() {
		for _, form := range []testbinary.Form{testbinary.Stripped, testbinary.PIE} {
			b := inspectFile(
				t,
				testbinary.Server(t, testbinary.Build{Go: release, Arch: model.AMD64, Form: form}),
			)
			if len(b.Inlined) != 0 || b.InlinedUnknown {
				t.Errorf(
					"Go %s, %s: inlined %v (unknown: %t), without a profile", release, form,
					b.Inlined, b.InlinedUnknown,
				)
			}
		}
	}
}

func TestWhatIsSmallIsFoundInlinedInEveryLayout(t *testing.T) {
	const small = "net.(*UnixAddr).Network"
	for _, release := range testbinary.Releases() {
		for _, form := range []testbinary.Form{testbinary.Stripped, testbinary.PIE} {
			b, err := open(
				t,
				testbinary.Server(t, testbinary.Build{Go: release, Arch: model.AMD64, Form: form}),
			).Binary([]string{small})
			if err != nil {
				t.Fatal(err)
			}
			read := release != "1.17.13" && release != "1.18.10" // had no profiles yet
			if into := b.Inlined[small]; (into != "") != read {
				t.Errorf("Go %s, %s: inlined into %q", release, form, into)
			}
		}
	}
}

func TestStrippingMovesNoFunction(t *testing.T) {
	for _, release := range testbinary.Releases() {
		t.Run(release, func(t *testing.T) {
			plain := inspectFile(
				t,
				testbinary.Server(
					t, testbinary.Build{Go: release, Arch: model.AMD64, Form: testbinary.Plain},
				),
			)
			stripped := inspectFile(
				t,
				testbinary.Server(
					t, testbinary.Build{Go: release, Arch: model.AMD64, Form: testbinary.Stripped},
				),
			)
			for name, want := range plain.Functions {
				if got := stripped.Functions[name]; got.Address != want.Address ||
					got.FileOffset != want.FileOffset {
					t.Errorf(
						"%s is at %#x, in the stripped binary at %#x", name, want.Address,
						got.Address,
					)
				}
			}
			if len(plain.Functions) != len(wanted)-1 {
				t.Errorf("%d functions were found", len(plain.Functions))
			}
		})
	}
}

func TestFunctionsAreFoundWithoutSectionHeaders(t *testing.T) {
	path := testbinary.Server(
		t, testbinary.Build{Go: "1.26.8", Arch: model.AMD64, Form: testbinary.Stripped},
	)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copy(data[40:48], make([]byte, 8)) // e_shoff
	copy(data[60:64], make([]byte, 4)) // e_shnum, e_shstrndx
	bare, err := inspectBytes(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(inspectFile(t, path).Functions, bare.Functions); diff != "" {
		t.Errorf("without section headers (-with +without):\n%s", diff)
	}
}

func TestFieldOffsetsAgreeWithDebugDwarf(t *testing.T) {
	builds := []testbinary.Build{
		{Go: "1.26.8", Arch: model.AMD64, Form: testbinary.DWARF4},
		{Go: "1.26.8", Arch: model.AMD64, Form: testbinary.NoCompress},
		{Go: "1.26.8", Arch: model.ARM64, Form: testbinary.Plain},
	}
	for _, release := range testbinary.Releases() {
		builds = append(
			builds, testbinary.Build{Go: release, Arch: model.AMD64, Form: testbinary.Plain},
		)
	}
	structs := map[string]bool{
		"net/http.Request": true, "net/http.response": true, "net/url.URL": true, "runtime.g": true,
		"runtime.hmap": true, "internal/runtime/maps.Map": true, "net/http.pattern": true,
	}
	for _, build := range builds {
		t.Run(build.String(), func(t *testing.T) {
			path := testbinary.Server(t, build)
			f := open(t, path)
			for name, fields := range structsOf(t, path, structs) {
				slash := strings.LastIndex(name, ".")
				for field, want := range fields {
					got, exists, err := f.FieldOffset(
						model.Field{Package: name[:slash], Struct: name[slash+1:], Field: field},
						structs,
					)
					if err != nil || !exists || got != want {
						t.Errorf("%s.%s is at %d: %d, %t, %v", name, field, want, got, exists, err)
					}
					pointer := model.Field{
						Package: name[:slash],
						Struct:  name[slash+1:],
						Field:   "*" + field,
					}
					if _, exists, _ := f.FieldOffset(
						pointer, structs,
					); !strings.HasPrefix(field, "*") &&
						exists != has(fields, "*"+field) {
						t.Errorf("%s.%s is taken for a pointer: %t", name, field, exists)
					}
				}
			}
			none := model.Field{Package: "net/http", Struct: "response", Field: "noSuchField"}
			if _, exists, err := f.FieldOffset(none, structs); exists || err != nil {
				t.Errorf("a field that a known struct does not have: %t, %v", exists, err)
			}
			none.Struct = "noSuchStruct"
			if _, _, err := f.FieldOffset(none, structs); err == nil {
				t.Error("a struct that is not described has an answer")
			}
		})
	}
}

func TestStrippedBinariesHaveNoFieldOffsets(t *testing.T) {
	f := open(
		t,
		testbinary.Server(
			t, testbinary.Build{Go: "1.26.8", Arch: model.AMD64, Form: testbinary.Stripped},
		),
	)
	_, _, err := f.FieldOffset(status, map[string]bool{"net/http.response": true})
	if err == nil || !strings.Contains(err.Error(), "no debug information") {
		t.Errorf("the error is %v", err)
	}
}

func TestWhatIsNoGoExecutableIsRefusedByName(t *testing.T) {
	plain := testbinary.Server(
		t, testbinary.Build{Go: "1.26.8", Arch: model.AMD64, Form: testbinary.Plain},
	)
	data, err := os.ReadFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(change func([]byte)) []byte {
		c := slices.Clone(data)
		change(c)
		return c
	}
	for name, test := range map[string]struct {
		data []byte
		kind error
		says string
	}{
		"text":         {[]byte("#!/bin/sh\nexit 0\n"), inspect.ErrNotGo, "not an ELF file"},
		"empty":        {nil, inspect.ErrNotGo, "not an ELF file"},
		"header only":  {data[:64], nil, ""},
		"other arch":   {changed(func(b []byte) { b[18] = byte(elf.EM_RISCV) }), inspect.ErrUnsupported, "amd64 and arm64"},
		"32 bit":       {changed(func(b []byte) { b[elf.EI_CLASS] = byte(elf.ELFCLASS32) }), inspect.ErrUnsupported, "64-bit little-endian"},
		"big-endian":   {changed(func(b []byte) { b[elf.EI_DATA] = byte(elf.ELFDATA2MSB) }), inspect.ErrUnsupported, "64-bit little-endian"},
		"object file":  {changed(func(b []byte) { b[16] = byte(elf.ET_REL) }), inspect.ErrNotGo, "ET_REL"},
		"no functions": {bytes.ReplaceAll(data, []byte(".gopclntab\x00"), []byte(".something\x00")), inspect.ErrUnsupported, "without a function table"},
		"packed":       {changed(func(b []byte) { copy(b[0x2f0:], "UPX!") }), inspect.ErrUnsupported, "upx -d"},
		"65535 tables": {changed(func(b []byte) { b[60], b[61] = 0xff, 0xff }), inspect.ErrUnsupported, "65535 sections"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := inspectBytes(test.data)
			if err == nil || test.kind != nil && !errors.Is(err, test.kind) ||
				!strings.Contains(err.Error(), test.says) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestCProgramsAreNotGo(t *testing.T) {
	path, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Skip(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inspectBytes(data); !errors.Is(err, inspect.ErrNotGo) {
		t.Errorf("%s: %v", path, err)
	}
}

func open(t testing.TB, path string) *inspect.File {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	f, err := inspect.Open(file, info.Size(), path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func inspectFile(t testing.TB, path string) *model.Binary {
	t.Helper()
	b, err := open(t, path).Binary(wanted)
	if err != nil {
		t.Fatal(err)
	}
	b.Path = ""
	return b
}

// symbols reads the addresses of the wanted functions from the symbol table.
func symbols(t *testing.T, path string) map[string]uint64 {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]uint64{}
	for _, s := range all {
		if slices.Contains(wanted, s.Name) {
			found[s.Name] = s.Value
		}
	}
	return found
}

func has(fields map[string]uint64, name string) bool {
	_, ok := fields[name]
	return ok
}

// structsOf reads structs with the standard library's parser; those of their fields
// that are pointers also as "*name".
func structsOf(t *testing.T, path string, wanted map[string]bool) map[string]map[string]uint64 {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := f.DWARF()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string]uint64{}
	reader := data.Reader()
	for {
		entry, err := reader.Next()
		if err != nil {
			t.Fatal(err)
		}
		if entry == nil {
			break
		}
		name, _ := entry.Val(dwarf.AttrName).(string)
		switch {
		case entry.Tag == dwarf.TagCompileUnit:
			continue
		case entry.Tag == dwarf.TagStructType && wanted[name]:
			kind, err := data.Type(entry.Offset)
			if err != nil {
				t.Fatal(err)
			}
			fields := map[string]uint64{}
			for _, field := range kind.(*dwarf.StructType).Field {
				fields[field.Name] = uint64(field.ByteOffset)
				if _, pointer := field.Type.(*dwarf.PtrType); pointer {
					fields["*"+field.Name] = uint64(field.ByteOffset)
				}
			}
			found[name] = fields
		}
		reader.SkipChildren()
	}
	if len(found) < 5 {
		t.Fatalf("only %d structs are described", len(found))
	}
	return found
}
