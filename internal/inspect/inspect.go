// Package inspect finds out what a Go executable is: its build information, its
// functions, the offsets in its debug information. Executables are hostile
// input, read by a process with privileges: every size is bounded, nothing is
// mapped into memory (a file that shrinks would end the process), and a panic of
// a parser becomes an error.
package inspect

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/record"
)

// Why a file cannot be inspected.
var (
	ErrNotGo       = errors.New("not a Go executable")
	ErrUnsupported = errors.New("not supported")
)

// loadsPlugin is the function that loads a plugin: src/plugin/plugin_dlopen.go. That
// of programs without cgo, which cannot, is inlined.
const loadsPlugin = "plugin.open"

// maxSections bounds the section headers: Go's linker makes about 30, and a
// header may claim 2^32.
const maxSections = 1024

// Bounds on what is read, in bytes. The parsers of the standard library allocate
// by numbers in the file, in proportion to what they then can read.
const (
	maxRead      = 512 << 20 // in all: a sparse file costs nothing, and its sections may overlap
	maxHeaders   = 4 << 20   // ELF headers and section names
	maxBuildInfo = 64 << 20  // what is searched for the build information
	maxString    = 1 << 20   // one string of it: a module takes about 100 bytes
	maxVersion   = 256       // the version of Go, with its experiments
	maxText      = 256       // any other text that is kept of a file
)

// File is an executable that is being inspected. It is not safe for concurrent
// use.
type File struct {
	path    string
	reader  io.ReaderAt
	elf     *elf.File
	arch    model.Arch
	layouts *layouts // of the debug information; made when first asked for

	// Known once the functions were found.
	functionTable uint64            // its virtual address
	folders       map[string]string // the vendor folder of each project that is in no other place
}

// Open begins with a file of size bytes. path is for messages only. The reader
// stays in use; closing it is the caller's.
func Open(reader io.ReaderAt, size int64, path string) (f *File, err error) {
	defer guard(&err)
	bounded := io.NewSectionReader(reader, 0, size)
	var ident [4]byte
	if _, err := bounded.ReadAt(ident[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if string(ident[:]) != elf.ELFMAG {
		return nil, fmt.Errorf("%w: not an ELF file", ErrNotGo)
	}
	if err := checkHeader(bounded); err != nil {
		return nil, err
	}
	headers := &meter{reader: bounded, left: maxHeaders, largest: maxHeaders}
	parsed, err := elf.NewFile(headers)
	if err != nil {
		return nil, fmt.Errorf("read the ELF headers: %w", err)
	}
	headers.left, headers.largest = maxRead, maxRead // sections are read through it
	f = &File{
		path:   path,
		reader: &meter{reader: bounded, left: maxRead, largest: maxRead},
		elf:    parsed,
	}
	switch parsed.Machine {
	case elf.EM_X86_64:
		f.arch = model.AMD64
	case elf.EM_AARCH64:
		f.arch = model.ARM64
	default:
		return nil, fmt.Errorf(
			"%w: an executable for %s; spanprobe knows amd64 and arm64", ErrUnsupported,
			parsed.Machine,
		)
	}
	return f, nil
}

// checkHeader refuses other kinds of ELF files, and what would make debug/elf
// allocate by a number in the file.
func checkHeader(r io.ReaderAt) error {
	var header [64]byte
	n, err := r.ReadAt(header[:], 0)
	if n > elf.EI_DATA &&
		(header[elf.EI_CLASS] != byte(elf.ELFCLASS64) ||
			header[elf.EI_DATA] != byte(elf.ELFDATA2LSB)) {
		return fmt.Errorf("%w: not a 64-bit little-endian executable", ErrUnsupported)
	}
	if n < len(header) {
		return fmt.Errorf("read the ELF header: %w", err)
	}
	if kind := elf.Type(header[16]) | elf.Type(header[17])<<8; kind != elf.ET_EXEC &&
		kind != elf.ET_DYN {
		return fmt.Errorf("%w: an ELF file of type %s", ErrNotGo, kind)
	}
	shnum := int(header[60]) | int(header[61])<<8
	phnum := int(header[56]) | int(header[57])<<8
	if shnum > maxSections || phnum > maxSections {
		return fmt.Errorf("%w: %d sections and %d segments", ErrUnsupported, shnum, phnum)
	}
	if shnum == 0 && !bytes.Equal(header[40:48], make([]byte, 8)) {
		return fmt.Errorf("%w: the number of sections is not in the header", ErrUnsupported)
	}
	return nil
}

// Binary says what the executable is, and finds those of the wanted functions
// that it has.
func (f *File) Binary(wanted []string) (b *model.Binary, err error) {
	defer guard(&err)
	if f.isUPX() {
		return nil, fmt.Errorf(
			"%w: packed with UPX; unpack it with `upx -d` to have it traced", ErrUnsupported,
		)
	}
	table, err := f.pclntab()
	if err != nil {
		return nil, err
	}
	f.functionTable = table.address
	info, recorded, err := f.build()
	if err != nil {
		return nil, err
	}
	b = &model.Binary{
		Path:      f.path,
		GoVersion: text(strings.TrimPrefix(info.GoVersion, "go")),
		Arch:      f.arch,
		Main:      model.Module{Path: text(info.Main.Path), Version: text(info.Main.Version)},
		Settings:  map[string]string{},
		Stripped:  f.section(".symtab") == nil,
		DWARF:     f.section(".debug_info", ".zdebug_info") != nil,
		PIE:       f.elf.Type == elf.ET_DYN,

		NoBuildInfo: !recorded,
	}
	if info.Path != "" && b.Main.Path == "" {
		b.Main.Path = text(info.Path)
	}
	for _, setting := range info.Settings {
		b.Settings[text(setting.Key)] = text(setting.Value)
	}
	if mode := b.Settings["-buildmode"]; mode == "plugin" || mode == "c-shared" ||
		mode == "shared" {
		return nil, fmt.Errorf(
			"%w: a library (-buildmode=%s), which other programs load; what is in libraries is not traced",
			ErrUnsupported,
			mode,
		)
	}
	for _, dep := range info.Deps {
		m := model.Module{Path: text(dep.Path), Version: text(dep.Version)}
		if dep.Replace != nil {
			m.Replace = text(dep.Replace.Path + "@" + dep.Replace.Version)
		}
		b.Modules = append(b.Modules, m)
	}
	slices.SortFunc(
		b.Modules, func(x, y model.Module) int { return strings.Compare(x.Path, y.Path) },
	)
	data, noData := f.moduledata(table)
	base, err := f.textBase(table, data, noData)
	var in found
	if err == nil {
		in, err = f.functions(table, base, append(slices.Clone(wanted), loadsPlugin))
	}
	if err != nil {
		return nil, fmt.Errorf("read the function table: %w", err)
	}
	b.Functions, b.Elsewhere = in.functions, in.elsewhere
	b.TracerProvider = text(in.tracerProvider)
	if _, b.Plugins = b.Functions[loadsPlugin]; !slices.Contains(wanted, loadsPlugin) {
		delete(b.Functions, loadsPlugin)
	}
	b.Inlined, err = f.inlined(in.inlined, data)
	b.InlinedUnknown = err != nil
	if noData == nil {
		b.Text, b.Moduledata = data.text(), data[:]
	}
	return b, nil
}

// text makes what comes from a file fit for logs, reasons and spans, in which a file
// may have it said again and again: it is short, and a copy, so that a long text of
// which it was a part does not stay in memory.
func text(s string) string {
	const ellipsis = "…"
	if len(s) > maxText {
		s = record.WholeCharacters(s[:maxText-len(ellipsis)]) + ellipsis
	}
	return strings.ToValidUTF8(strings.Clone(s), "\uFFFD")
}

// isUPX looks for the mark that UPX leaves behind the headers of what it packs.
func (f *File) isUPX() bool {
	var head [1024]byte
	n, _ := f.reader.ReadAt(head[:], 0) // a shorter file has fewer places to look at
	return bytes.Contains(head[:n], []byte("UPX!"))
}

// section finds the first section that has one of the names and has contents.
func (f *File) section(names ...string) *elf.Section {
	for _, name := range names {
		for _, s := range f.elf.Sections {
			if s.Name == name && s.Type != elf.SHT_NOBITS {
				return s
			}
		}
	}
	return nil
}

// fileOffset turns a virtual address of executable code into an offset in the
// file.
func (f *File) fileOffset(address uint64) (uint64, bool) {
	for _, p := range f.elf.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && address >= p.Vaddr &&
			address-p.Vaddr < p.Filesz {
			return address - p.Vaddr + p.Off, true
		}
	}
	return 0, false
}

// meter passes reads on until they add up to too much.
type meter struct {
	reader  io.ReaderAt
	left    int64 // bytes that may still be read
	largest int64 // bytes that may be read at once
}

func (m *meter) ReadAt(p []byte, at int64) (int, error) {
	size := int64(len(p))
	if size > m.largest || size > m.left {
		return 0, fmt.Errorf(
			"%w: more of it would have to be read than is read of any executable", ErrUnsupported,
		)
	}
	m.left -= size
	return m.reader.ReadAt(p, at)
}

// guard turns a panic of a parser of the standard library into an error.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("malformed executable: %s", text(fmt.Sprint(r)))
	}
}
