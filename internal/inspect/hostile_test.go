package inspect_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spanprobe/spanprobe/internal/inspect"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/testing/testbinary"
	"github.com/spanprobe/spanprobe/internal/testing/tiny"
)

func TestTinyExecutablesAreUnderstood(t *testing.T) {
	for name, kind := range tiny.Kinds() {
		t.Run(name, func(t *testing.T) {
			data := kind.Bytes()
			b, err := inspectBytes(data)
			if err != nil {
				t.Fatal(err)
			}
			version := "1.26.8"
			if kind.Old {
				version = "1.17.13"
			}
			main := b.Functions["main.main"]
			if b.GoVersion != version || main.Address != tiny.Main ||
				main.FileOffset != tiny.Offset ||
				!bytes.Equal(main.Code, []byte{0x55, 0xc3}) {
				t.Errorf("Go %q, %+v", b.GoVersion, main)
			}
			if kind.Bare {
				return // it has no debug information
			}
			f, err := inspect.Open(bytes.NewReader(data), int64(len(data)), "tiny")
			if err != nil {
				t.Fatal(err)
			}
			offset, exists, err := f.FieldOffset(status, map[string]bool{"net/http.response": true})
			if offset != 0x78 || !exists || err != nil {
				t.Errorf("%s is at %d, %t, %v", status, offset, exists, err)
			}
		})
	}
}

func TestWhateverAFileClaimsAnInspectionIsBounded(t *testing.T) {
	files := lies()
	for name, data := range liesOfAServer(t) {
		files[name] = data
	}
	for name, data := range files {
		t.Run(
			name, func(t *testing.T) { inspectBounded(t, bytes.NewReader(data), int64(len(data))) },
		)
	}
}

func TestAFileOfATerabyteOfZerosIsBounded(t *testing.T) {
	const size = 1 << 40
	segments := func(executable []byte) []byte {
		for _, segment := range []int{64, 64 + 56} {
			binary.LittleEndian.PutUint64(executable[segment+32:], 1<<39) // p_filesz
		}
		return executable
	}
	for name, head := range map[string][]byte{
		"function table":            enlarged(tiny.Program{}.Bytes(), ".gopclntab", 1<<39),
		"function table of Go 1.17": enlarged(tiny.Program{Old: true}.Bytes(), ".gopclntab", 1<<39),
		"moduledata":                enlarged(tiny.Changed(tiny.Program{}.Bytes(), ".go.module", func(b []byte) { clear(b) }), ".go.module", 1<<39),
		"relocations":               enlarged(tiny.Program{PIE: true}.Bytes(), ".rela.dyn", 1<<39),
		"debug information":         enlarged(tiny.Program{}.Bytes(), ".debug_info", 1<<39),
		"segments":                  segments(tiny.Program{Bare: true}.Bytes()),
		"segments without a table":  segments((tiny.Program{Bare: true}).With(map[string][]byte{".gopclntab": make([]byte, 128)})),
	} {
		t.Run(name, func(t *testing.T) { inspectBounded(t, sparse{head, size}, size) })
	}
}

func TestDebugInformationThatIsABombIsRefused(t *testing.T) {
	bomb := make([]byte, 4<<20)
	for _, compress := range []string{"zlib", "zstd", "zdebug"} {
		compressed := tiny.Compress(bomb, compress)
		section := ".debug_info"
		if compress == "zdebug" {
			section = ".zdebug_info"
		}
		data := (tiny.Program{Compress: compress}).With(map[string][]byte{section: compressed})
		f, err := inspect.Open(bytes.NewReader(data), int64(len(data)), "bomb")
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = f.FieldOffset(status, map[string]bool{"net/http.response": true})
		if !errors.Is(err, inspect.ErrUnsupported) {
			t.Errorf(
				"%d bytes in %d, compressed as %s: %v", len(bomb), len(compressed), compress, err,
			)
		}
	}
}

func TestABombThatItsHeaderConcealsIsReadAsFarAsTheHeaderSays(t *testing.T) {
	info, _ := tiny.Program{}.DebugInfo()
	// a unit that is not read
	skeleton := append(tiny.Words32(12), "\x05\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00"...)
	bomb := slices.Concat(skeleton, info, make([]byte, 64<<20))
	for _, compress := range []string{"zlib", "zstd", "zdebug"} {
		compressed := tiny.Compress(bomb, compress)
		section := ".debug_info"
		if compress == "zdebug" {
			section = ".zdebug_info"
			binary.BigEndian.PutUint64(compressed[len("ZLIB"):], uint64(len(skeleton)))
		} else {
			// Elf64_Chdr.ch_size
			binary.LittleEndian.PutUint64(compressed[8:], uint64(len(skeleton)))
		}
		data := (tiny.Program{Compress: compress}).With(map[string][]byte{section: compressed})
		f, err := inspect.Open(bytes.NewReader(data), int64(len(data)), "bomb")
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = f.FieldOffset(status, map[string]bool{"net/http.response": true})
		if !errors.Is(err, inspect.ErrNotDescribed) {
			t.Errorf("compressed as %s: %v", compress, err)
		}
	}
}

func TestWhatIsNoVersionOfGoIsRefused(t *testing.T) {
	for name, version := range map[string]string{
		"long":          "go1.26.8" + strings.Repeat("8", 1000),
		"not a text":    "go1.26.8\xff\xfe",
		"over lines":    "go1.26.8\nfaked log line",
		"to a terminal": "go1.26.8\x1b[2J",
	} {
		info := append([]byte("\xff Go buildinf:\x08\x02"), make([]byte, 16)...)
		info = append(append(binary.AppendUvarint(info, uint64(len(version))), version...), 0)
		if _, err := inspectBytes(
			(tiny.Program{}).With(map[string][]byte{".go.buildinfo": info}),
		); !errors.Is(err, inspect.ErrUnsupported) {
			t.Errorf("a version that is %s: %v", name, err)
		}
	}
}

func TestModulesThatAreNoTextBecomeOne(t *testing.T) {
	mod := strings.Repeat(
		"s", 16,
	) + "path\texample.com/\xff\nmod\texample.com/\xff\tv1.0.0\xfe\t\n" + strings.Repeat("e", 16)
	info := append([]byte("\xff Go buildinf:\x08\x02"), make([]byte, 16)...)
	info = append(info, "\x08go1.26.8"...)
	info = append(binary.AppendUvarint(info, uint64(len(mod))), mod...)
	b, err := inspectBytes((tiny.Program{}).With(map[string][]byte{".go.buildinfo": info}))
	if err != nil || b.Main.Path != "example.com/\uFFFD" || b.Main.Version != "v1.0.0\uFFFD" {
		t.Errorf("the main module is %+v, %v", b.Main, err)
	}
}

func TestTextsOfAFileAreShort(t *testing.T) {
	long := strings.Repeat("é", 10_000)
	info := append([]byte("\xff Go buildinf:\x08\x02"), make([]byte, 16)...)
	info = append(info, "\x08go1.26.8"...)
	mod := strings.Repeat("s", 16) + "path\tp\nmod\t" + long + "\t" + long + "\t\n" +
		"dep\t" + long + "\t" + long + "\n=>\t" + long + "\t" + long + "\t\n" +
		"build\t" + long + "=" + long + "\n" + strings.Repeat("e", 16)
	info = append(binary.AppendUvarint(info, uint64(len(mod))), mod...)
	b, err := inspectBytes((tiny.Program{
		Functions: []tiny.Function{
			{Name: "main.main", Code: []byte{0xc3}},
			{Name: long + "/sdk/trace.NewTracerProvider", Code: []byte{0xc3}},
		},
	}).With(map[string][]byte{".go.buildinfo": info}))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{
		"path": b.Main.Path, "version": b.Main.Version, "symbol": b.TracerProvider,
	}
	for _, m := range b.Modules {
		texts["path of a module"], texts["version of a module"] = m.Path, m.Version
		texts["replacement"] = m.Replace
	}
	for key, value := range b.Settings {
		texts["key"], texts["setting"] = key, value
	}
	for name, text := range texts {
		cut := strings.HasSuffix(text, "é…")
		if len(text) > 256 || !utf8.ValidString(text) || !cut {
			t.Errorf("the %s has %d bytes: %.300q", name, len(text), text)
		}
	}
	if len(texts) != 8 {
		t.Errorf("texts %q", texts)
	}
}

func TestAnErrorOfTheBuildInformationIsShort(t *testing.T) {
	info := append([]byte("\xff Go buildinf:\x08\x02"), make([]byte, 16)...)
	info = append(info, "\x08go1.26.8"...)
	mod := strings.Repeat("s", 16) + "build\tkey=a`" + strings.Repeat("x", 100_000) + "\n" +
		strings.Repeat("e", 16)
	info = append(binary.AppendUvarint(info, uint64(len(mod))), mod...)
	_, err := inspectBytes((tiny.Program{}).With(map[string][]byte{
		".go.buildinfo": info, ".debug_info": tiny.Words32(64, 4),
	}))
	if err == nil || len(err.Error()) > 1000 {
		t.Errorf("%d bytes: %.500v", len(fmt.Sprint(err)), err)
	}
}

func TestDamagedExecutablesAreErrorsOrAnswersNeverPanics(t *testing.T) {
	whole := liesOfAServer(t)["whole"]
	random := rand.New(rand.NewPCG(1, 2))
	// The headers, the function table and moduledata are where damage tells.
	for range 30 {
		damaged := slices.Clone(whole)
		for range 1 + random.IntN(8) {
			at := random.IntN(len(damaged))
			if random.IntN(2) == 0 {
				at = random.IntN(4096)
			}
			damaged[at] = byte(random.Uint32())
		}
		if b, err := inspectBytes(damaged); (b == nil) == (err == nil) {
			t.Fatalf("the answer is %v and %v", b, err)
		}
	}
}

// lies are tiny executables, one part of which lies.
func lies() map[string][]byte {
	whole, old, pie := tiny.Program{}.Bytes(), tiny.Program{
		Old: true,
	}.Bytes(), tiny.Program{
		PIE: true,
	}.Bytes()
	word := binary.LittleEndian.PutUint64
	many := append(
		tiny.Words32(0xfffffff1, 8<<24|1<<16),
		tiny.Words64(1<<17, 0, 0, 72, 72+16, 0, 72+16, 72+16)...)
	many = append(many, "main.main\x00......"...)
	for range 1 << 17 { // entry, _func
		many = append(many, tiny.Words32(0, 8<<17+4)...)
	}
	many = append(many, tiny.Words32(2, 0, 0)...)
	return map[string][]byte{
		"a table of functions that all have one name": (tiny.Program{}).With(
			map[string][]byte{".gopclntab": many},
		),
		"a table of magic numbers": (tiny.Program{Bare: true}).With(
			map[string][]byte{
				".gopclntab": bytes.Repeat(tiny.Words32(0xfffffff1, 8<<24|1<<16), 1<<17),
			},
		),
		"more functions than the table holds": tiny.Changed(
			whole, ".gopclntab", func(b []byte) { word(b[8:], 4<<20) },
		),
		"no functions": tiny.Changed(whole, ".gopclntab", func(b []byte) { word(b[8:], 0) }),
		"names beyond the table": tiny.Changed(
			whole, ".gopclntab", func(b []byte) { word(b[32:], 1<<63) },
		),
		"entries that wrap around": tiny.Changed(
			whole, ".gopclntab", func(b []byte) { word(b[64:], 1<<64-8) },
		),
		"a text in the middle of nowhere": tiny.Changed(
			whole, ".gopclntab", func(b []byte) { word(b[24:], 1<<63-1) },
		),
		"an entry outside of the text": tiny.Changed(
			old, ".gopclntab", func(b []byte) { word(b[88:], 1<<63) },
		),
		"a _func beyond the table": tiny.Changed(
			old, ".gopclntab", func(b []byte) { word(b[96:], 1<<63-89) },
		),
		"moduledata of another text": tiny.Changed(
			whole, ".go.module", func(b []byte) { word(b[176:], 1<<63) },
		),
		"relocations of nothing": tiny.Changed(
			pie, ".rela.dyn", func(b []byte) { word(b, 1<<64-1) },
		),
		"a version of four gigabytes": tiny.Changed(
			whole, ".go.buildinfo", func(b []byte) { copy(b[32:], "\x80\x80\x80\x80\x10") },
		),
		"a version at no address": tiny.Changed(
			old, ".go.buildinfo", func(b []byte) { word(b[16:], 1<<64-1) },
		),
		"a version of 2^63 bytes": tiny.Changed(
			old, ".go.buildinfo", func(b []byte) { word(b[40:], 1<<63) },
		),
		"a table of 2^63 bytes":                enlarged(whole, ".gopclntab", 1<<63-1),
		"debug information of 2^63 bytes":      enlarged(whole, ".debug_info", 1<<63-1),
		"moduledata of 2^63 bytes":             enlarged(whole, ".go.module", 1<<63-1),
		"relocations of 2^63 bytes":            enlarged(pie, ".rela.dyn", 1<<63-1),
		"sections that all are the whole file": overlapping(pie),
	}
}

// liesOfAServer are a whole executable and variants of it that lie.
func liesOfAServer(t testing.TB) map[string][]byte {
	t.Helper()
	whole, err := os.ReadFile(
		testbinary.Server(
			t, testbinary.Build{Go: "1.26.8", Arch: model.AMD64, Form: testbinary.Plain},
		),
	)
	if err != nil {
		t.Fatal(err)
	}
	sections := func(change func(header []byte)) []byte {
		c := slices.Clone(whole)
		start, count := binary.LittleEndian.Uint64(c[40:]), binary.LittleEndian.Uint16(c[60:])
		for i := range uint64(count) {
			change(c[start+64*i:])
		}
		return c
	}
	return map[string][]byte{
		"whole": whole,
		"half":  whole[:len(whole)/2],
		"page":  whole[:4096],
		"every section has 2^62 bytes": sections(
			func(b []byte) { binary.LittleEndian.PutUint64(b[32:], 1<<62) },
		),
		"every section begins near 2^63": sections(
			func(b []byte) { binary.LittleEndian.PutUint64(b[24:], 1<<63-8) },
		),
		"every section has relocations": sections(func(b []byte) { b[4] = byte(elf.SHT_RELA) }),
		"a server of four million pieces": tiny.Changed(
			whole, ".gopclntab", func(b []byte) { binary.LittleEndian.PutUint64(b[8:], 4<<20) },
		),
		"a server whose names are one": tiny.Changed(
			whole, ".gopclntab", func(b []byte) { binary.LittleEndian.PutUint64(b[32:], 0) },
		),
	}
}

// enlarged makes a section claim more bytes than it has.
func enlarged(executable []byte, section string, size uint64) []byte {
	return reheaded(executable, func(name string, header []byte) {
		if name == section {
			binary.LittleEndian.PutUint64(header[32:], size)
		}
	})
}

// overlapping makes all sections but those whose place matters the whole file.
func overlapping(executable []byte) []byte {
	return reheaded(executable, func(name string, header []byte) {
		if name != ".shstrtab" && name != "" {
			binary.LittleEndian.PutUint64(header[24:], 0)
			binary.LittleEndian.PutUint64(header[32:], uint64(len(executable)))
		}
	})
}

// reheaded changes the headers of the sections.
func reheaded(executable []byte, change func(name string, header []byte)) []byte {
	c := slices.Clone(executable)
	f, err := elf.NewFile(bytes.NewReader(c))
	if err != nil {
		panic("read a tiny executable: " + err.Error())
	}
	start := binary.LittleEndian.Uint64(c[40:])
	for i, s := range f.Sections {
		change(s.Name, c[start+64*uint64(i):])
	}
	return c
}

// sparse is a file with a head and nothing behind it.
type sparse struct {
	head []byte
	size int64
}

func (s sparse) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 || at >= s.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), s.size-at))
	clear(p[:n])
	if at < int64(len(s.head)) {
		copy(p[:n], s.head[at:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
