// Package tiny puts executables of a few kilobytes together by hand, for tests and for
// fuzzing, which changes small files fast.
package tiny

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
)

// Where the two segments of a tiny executable are. Both hold the whole file.
const (
	Text   = 0x400000
	data   = 0x500000
	Offset = 64 + 2*56 // of the code, behind the headers
	Main   = Text + Offset
)

// Program is an executable that has all that is read of one: a function table, moduledata,
// build information and debug information, by default for one function and one struct.
type Program struct {
	Old      bool   // function table and build information as Go 1.17 makes them
	PIE      bool   // moduledata is in the relocations
	Bare     bool   // without section headers
	Unsaid   bool   // without build information
	ARM64    bool   // of that machine
	DWARF5   bool   // debug information as Go 1.25 and later make it
	Compress string // debug information: "", "zlib", "zstd", or "zdebug", the older way of zlib

	GoVersion string     // "go1.26.8" by default
	Functions []Function // main.main by default
	// by struct; the status of a response by default. A name that begins with * is a pointer's.
	Fields []model.Field
}

// Function is one of a program.
type Function struct {
	Name string
	Code []byte
}

// Kinds are all kinds of programs.
func Kinds() map[string]Program {
	return map[string]Program{
		"of Go 1.26":                   {},
		"of Go 1.17":                   {Old: true},
		"position-independent":         {PIE: true},
		"without section headers":      {Bare: true},
		"without build information":    {Unsaid: true},
		"with DWARF 5":                 {DWARF5: true},
		"compressed with zlib":         {Compress: "zlib"},
		"compressed with zstd":         {Compress: "zstd", DWARF5: true},
		"compressed in the older way":  {Compress: "zdebug"},
		"of Go 1.17, without sections": {Old: true, Bare: true},
	}
}

func (p Program) functions() []Function {
	if p.Functions == nil {
		return []Function{{"main.main", []byte{0x55, 0xc3}}}
	}
	return p.Functions
}

// part is a section that is being made.
type part struct {
	elf.Section64
	name string
	data []byte
}

// parts are the contents of the sections, but for what depends on addresses.
func (p Program) parts() []*part {
	info, abbrev := p.DebugInfo()
	var code []byte
	for _, f := range p.functions() {
		code = append(code, f.Code...)
	}
	parts := []*part{
		{name: ".text", data: code},
		{name: ".gopclntab", data: p.FunctionTable()},
		{name: ".go.module", data: make([]byte, 8+6*24+8+4*8)},
		{name: ".go.buildinfo", data: p.BuildInfo()},
		p.debug("info", info),
		p.debug("abbrev", abbrev),
	}
	if p.PIE {
		parts = append(parts, &part{name: ".rela.dyn", data: make([]byte, 3*24)})
		parts[len(parts)-1].Type = uint32(elf.SHT_RELA)
	}
	names := &part{name: ".shstrtab"}
	names.Type = uint32(elf.SHT_STRTAB)
	return append(parts, names)
}

// FunctionTable is the contents of .gopclntab.
func (p Program) FunctionTable() []byte {
	const header = 72
	var names, pairs, descriptions []byte
	var at []uint32 // of the names
	for _, f := range p.functions() {
		at = append(at, uint32(len(names)))
		names = append(append(names, f.Name...), 0)
	}
	names = append(names, make([]byte, -len(names)&7)...)
	entry, count, namesEnd := uint32(0), uint32(len(at)), uint64(header+len(names))
	for i, f := range p.functions() {
		if p.Old {
			pairs = append(pairs, Words64(Main+uint64(entry), uint64(16*count+8+16*uint32(i)))...)
			descriptions = append(
				append(descriptions, Words64(Main+uint64(entry))...),
				Words32(at[i], 0)...)
		} else {
			pairs = append(pairs, Words32(entry, 8*count+4+8*uint32(i))...)
			descriptions = append(descriptions, Words32(entry, at[i])...)
		}
		entry += uint32(len(f.Code))
	}
	if p.Old {
		table := append(
			Words32(0xfffffffa, 8<<24|1<<16),
			Words64(uint64(count), 0, header, namesEnd, 0, namesEnd, namesEnd, 0)...)
		return slices.Concat(table, names, pairs, Words64(Main+uint64(entry)), descriptions)
	}
	table := append(
		Words32(0xfffffff1, 8<<24|1<<16),
		Words64(uint64(count), 0, 0, header, namesEnd, 0, namesEnd, namesEnd)...)
	return slices.Concat(table, names, pairs, Words32(entry), descriptions)
}

func (p Program) goVersion() string {
	if p.GoVersion == "" {
		return "go1.26.8"
	}
	return p.GoVersion
}

// BuildInfo is the contents of .go.buildinfo, but for the addresses that those of Go 1.17
// consist of.
func (p Program) BuildInfo() []byte {
	if p.Unsaid {
		return make([]byte, 32)
	}
	if p.Old {
		// Header, the two strings, the text of the first.
		return append(
			append([]byte("\xff Go buildinf:\x08\x00"), make([]byte, 2*8+2*16)...),
			"go1.17.13"...)
	}
	version := p.goVersion()
	info := append([]byte("\xff Go buildinf:\x08\x02"), make([]byte, 16)...)
	return append(append(binary.AppendUvarint(info, uint64(len(version))), version...), 0)
}

// DebugInfo is the contents of .debug_info and .debug_abbrev.
func (p Program) DebugInfo() (info, abbrev []byte) {
	abbrev = []byte{
		1, 0x11, 1, 0x03, 0x08, 0x25, 0x08, 0, 0, // compile unit: name, producer
		2, 0x13, 1, 0x03, 0x08, 0x0b, 0x0f, 0, 0, // struct: name, size
		3, 0x0d, 0, 0x03, 0x08, 0x38, 0x0f, 0x49, 0x10, 0, 0, // member: name, offset, type
		4, 0x0f, 0, 0, 0, // pointer
		0,
	}
	unit := []byte{4, 0, 0, 0, 0, 0, 8} // version, abbreviations, address size
	entries := "\x01runtime\x00Go cmd/compile " + p.goVersion() + "; regabi\x00"
	if p.DWARF5 {
		// With addresses by index, lists by index and a base of both:
		// src/cmd/internal/dwarf/dwarf.go.
		abbrev = append([]byte{
			1,
			0x11,
			1,
			0x03,
			0x08,
			0x13,
			0x0b,
			0x10,
			0x17,
			0x11,
			0x1b,
			0x55,
			0x23,
			0x25,
			0x1a,
			0x3e,
			0x21,
			0x01,
			0x73,
			0x17,
			0,
			0,
		}, abbrev[9:]...)
		unit = []byte{5, 0, 1, 8, 0, 0, 0, 0} // version, kind, address size, abbreviations
		entries = "\x01runtime\x00\x16" + "\x00\x00\x00\x00" +
			"\x01" + "\x02" + "\x03" + "\x08\x00\x00\x00"
	}
	unit = append(unit, entries...)
	pointer := uint32(4 + len(unit))
	unit = append(unit, 4)
	fields := p.Fields
	if fields == nil {
		fields = []model.Field{{Package: "net/http", Struct: "response", Field: "status"}}
	}
	for i, field := range fields {
		if i == 0 || fields[i-1].Package != field.Package || fields[i-1].Struct != field.Struct {
			if i > 0 {
				unit = append(unit, 0) // the end of the struct before
			}
			unit = append(append(append(unit, 2), field.Package+"."+field.Struct...), 0, 8)
		}
		name, refers := field.Field, uint32(0)
		if strings.HasPrefix(name, "*") {
			name, refers = name[1:], pointer
		}
		unit = append(append(append(unit, 3), name...), 0, byte(0x78-i%0x78))
		unit = append(unit, Words32(refers)...)
	}
	unit = append(unit, 0, 0)
	return append(Words32(uint32(len(unit))), unit...), abbrev
}

func (p Program) debug(name string, contents []byte) *part {
	d := &part{name: ".debug_" + name, data: Compress(contents, p.Compress)}
	switch p.Compress {
	case "zlib", "zstd":
		d.Flags = uint64(elf.SHF_COMPRESSED)
	case "zdebug":
		d.name = ".zdebug_" + name
	}
	return d
}

// Compress is the contents of a section of debug information that is compressed.
func Compress(contents []byte, as string) []byte {
	header := elf.Chdr64{Type: uint32(elf.COMPRESS_ZLIB), Size: uint64(len(contents)), Addralign: 1}
	switch as {
	case "zlib":
		return append(encode(header), deflate(contents)...)
	case "zstd":
		header.Type = uint32(elf.COMPRESS_ZSTD)
		return append(encode(header), zstd(contents)...)
	case "zdebug":
		return slices.Concat(
			binary.BigEndian.AppendUint64([]byte("ZLIB"), uint64(len(contents))), deflate(contents),
		)
	}
	return contents
}

// Bytes puts the executable together.
func (p Program) Bytes() []byte { return p.With(nil) }

// With puts the executable together with other contents of some sections.
func (p Program) With(contents map[string][]byte) []byte {
	parts := p.parts()
	for _, s := range parts {
		if data, ok := contents[s.name]; ok {
			s.data = data
		}
	}
	at := uint64(Offset)
	names := []byte{0}
	sections := map[string]*part{}
	for _, s := range parts {
		sections[s.name] = s
		s.Name = uint32(len(names))
		names = append(append(names, s.name...), 0)
		if s.Type == 0 {
			s.Type = uint32(elf.SHT_PROGBITS)
		}
		if s.name != ".text" {
			at = (at + 15) &^ 15
		}
		s.Off, s.Addr, s.Size = at, at+data, uint64(len(s.data))
		if s.name == ".text" || s.name == ".gopclntab" {
			s.Addr = at + Text
		}
		at += s.Size
	}
	last := parts[len(parts)-1] // .shstrtab
	last.data, last.Size = names, uint64(len(names))
	p.address(sections)

	body := make([]byte, Offset)
	headers := encode(elf.Section64{})
	for _, s := range parts {
		body = append(append(body, make([]byte, s.Off-uint64(len(body)))...), s.data...)
		headers = append(headers, encode(s.Section64)...)
	}
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Entry: Main,
		Phoff: 64, Phentsize: 56, Phnum: 2, Ehsize: 64, Shentsize: 64,
	}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	if p.PIE {
		header.Type = uint16(elf.ET_DYN)
	}
	if p.ARM64 {
		header.Machine = uint16(elf.EM_AARCH64)
	}
	if !p.Bare {
		header.Shoff, header.Shnum, header.Shstrndx = uint64(len(body)), uint16(
			len(parts)+1,
		), uint16(len(parts))
		body = append(body, headers...)
	}
	segment := elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X),
		Vaddr: Text, Filesz: uint64(len(body)), Memsz: uint64(len(body)), Align: 4096,
	}
	copy(body, encode(header))
	copy(body[64:], encode(segment))
	segment.Flags, segment.Vaddr = uint32(elf.PF_R|elf.PF_W), data
	copy(body[64+56:], encode(segment))
	return body
}

// address fills in what depends on where the sections are.
func (p Program) address(sections map[string]*part) {
	const minpc, textStart = 8 + 6*24 + 8, 8 + 6*24 + 8 + 2*8
	relative := uint64(elf.R_X86_64_RELATIVE)
	if p.ARM64 {
		relative = uint64(elf.R_AARCH64_RELATIVE)
	}
	module, table := sections[".go.module"], sections[".gopclntab"]
	pointers := map[uint64]uint64{0: table.Addr, minpc: Main, textStart: Main}
	var relocations []byte
	for _, at := range []uint64{0, minpc, textStart} {
		if p.PIE {
			relocations = append(relocations, Words64(module.Addr+at, relative, pointers[at])...)
		} else {
			binary.LittleEndian.PutUint64(module.data[at:], pointers[at])
		}
	}
	if p.PIE {
		copy(sections[".rela.dyn"].data, relocations)
	}
	if p.Old {
		info := sections[".go.buildinfo"]
		copy(
			info.data[16:],
			Words64(info.Addr+32, info.Addr+48, info.Addr+64, uint64(len("go1.17.13"))),
		)
	}
}

// Changed gives a section's contents other values, in place.
func Changed(executable []byte, section string, change func(data []byte)) []byte {
	c := slices.Clone(executable)
	f, err := elf.NewFile(bytes.NewReader(c))
	if err != nil {
		panic(fmt.Sprintf("read a tiny executable: %v", err))
	}
	s := f.Section(section)
	change(c[s.Offset : s.Offset+s.FileSize])
	return c
}

// Contents are a section's.
func Contents(executable []byte, section string) (data []byte) {
	Changed(executable, section, func(b []byte) { data = slices.Clone(b) })
	return data
}

// zstd compresses as far as blocks of one byte go (RFC 8878, section 3.1.1).
func zstd(contents []byte) []byte {
	const (
		window  = 7 << 3 // 128 KiB
		block   = 128 << 10
		raw     = 0
		oneByte = 1
	)
	b := append(Words32(0xfd2fb528), 0, window)
	for {
		head := contents[:min(len(contents), block)]
		contents = contents[len(head):]
		kind, size, body := raw, len(head), head
		if len(head) > 1 && bytes.Count(head, head[:1]) == len(head) {
			kind, body = oneByte, head[:1]
		}
		header := size<<3 | kind<<1
		if len(contents) == 0 {
			header |= 1 // the last
		}
		b = append(append(b, byte(header), byte(header>>8), byte(header>>16)), body...)
		if len(contents) == 0 {
			return b
		}
	}
}

func deflate(data []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		panic(fmt.Sprintf("compress: %v", err))
	}
	if err := w.Close(); err != nil {
		panic(fmt.Sprintf("compress: %v", err))
	}
	return b.Bytes()
}

// Words32 are numbers as a file has them.
func Words32(words ...uint32) []byte { return encode(words) }

// Words64 are longer ones.
func Words64(words ...uint64) []byte { return encode(words) }

func encode(v any) []byte {
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err)) // of fixed size, all of them
	}
	return b.Bytes()
}
