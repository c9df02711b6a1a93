package inspect_test

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
)

// Where the two segments of a tiny executable are. Both hold the whole file.
const (
	tinyText   = 0x400000
	tinyData   = 0x500000
	tinyOffset = 64 + 2*56 // of the code, behind the headers
	tinyMain   = tinyText + tinyOffset
)

// tiny is an executable of two kilobytes that has all that is read of one: a
// function table, moduledata, build information and debug information for one
// function and one struct. Fuzzing changes small files fast.
type tiny struct {
	old      bool   // function table and build information as Go 1.17 makes them
	pie      bool   // moduledata is in the relocations
	bare     bool   // without section headers
	unsaid   bool   // without build information
	compress string // debug information: "", "elf" or "zdebug"
}

// tinies are all kinds of them.
func tinies() map[string]tiny {
	return map[string]tiny{
		"of Go 1.26":                   {},
		"of Go 1.17":                   {old: true},
		"position-independent":         {pie: true},
		"without section headers":      {bare: true},
		"without build information":    {unsaid: true},
		"compressed as ELF has it":     {compress: "elf"},
		"compressed in the older way":  {compress: "zdebug"},
		"of Go 1.17, without sections": {old: true, bare: true},
	}
}

// part is a section that is being made.
type part struct {
	elf.Section64
	name string
	data []byte
}

// parts are the contents of the sections, but for what depends on addresses.
func (t tiny) parts() []*part {
	abbrev := []byte{
		1, 0x11, 1, 0x03, 0x08, 0x25, 0x08, 0, 0, // compile unit: name, producer
		2, 0x13, 1, 0x03, 0x08, 0x0b, 0x0f, 0, 0, // struct: name, size
		3, 0x0d, 0, 0x03, 0x08, 0x38, 0x0f, 0x49, 0x10, 0, 0, // member: name, offset, type
		0,
	}
	unit := []byte{4, 0, 0, 0, 0, 0, 8} // version, abbreviations, address size
	unit = append(unit, "\x01runtime\x00Go cmd/compile go1.26.8; regabi\x00\x02net/http.response\x00\x08\x03status\x00\x78\x00\x00\x00\x00\x00\x00"...)
	info := append(words32(uint32(len(unit))), unit...)
	parts := []*part{
		{name: ".text", data: []byte{0x55, 0xc3}},
		{name: ".gopclntab", data: t.pclntab()},
		{name: ".go.module", data: make([]byte, 8+6*24+8+4*8)},
		{name: ".go.buildinfo", data: t.buildInfo()},
		t.debug("info", info),
		t.debug("abbrev", abbrev),
	}
	if t.pie {
		parts = append(parts, &part{name: ".rela.dyn", data: make([]byte, 3*24)})
		parts[len(parts)-1].Type = uint32(elf.SHT_RELA)
	}
	names := &part{name: ".shstrtab"}
	names.Type = uint32(elf.SHT_STRTAB)
	return append(parts, names)
}

func (t tiny) pclntab() []byte {
	const names = "main.main\x00......"
	if t.old {
		table := append(words32(0xfffffffa, 8<<24|1<<16), words64(1, 0, 72, 72+16, 0, 72+16, 72+16, 0)...)
		table = append(append(table, names...), words64(tinyMain, 24, tinyMain+2)...)
		return append(append(table, words64(tinyMain)...), words32(0, 0)...)
	}
	table := append(words32(0xfffffff1, 8<<24|1<<16), words64(1, 0, 0, 72, 72+16, 0, 72+16, 72+16)...)
	table = append(table, names...)
	return append(table, words32(0, 12, 2, 0, 0)...) // entry, _func, end; its entryOff, nameOff
}

func (t tiny) buildInfo() []byte {
	if t.unsaid {
		return make([]byte, 32)
	}
	if t.old {
		// Header, the two strings, the text of the first.
		return append(append([]byte("\xff Go buildinf:\x08\x00"), make([]byte, 2*8+2*16)...), "go1.17.13"...)
	}
	return append(append([]byte("\xff Go buildinf:\x08\x02"), make([]byte, 16)...), "\x08go1.26.8\x00"...)
}

func (t tiny) debug(name string, data []byte) *part {
	p := &part{name: ".debug_" + name, data: data}
	switch t.compress {
	case "elf":
		header := elf.Chdr64{Type: uint32(elf.COMPRESS_ZLIB), Size: uint64(len(data)), Addralign: 1}
		p.Flags, p.data = uint64(elf.SHF_COMPRESSED), append(encode(header), deflate(data)...)
	case "zdebug":
		header := binary.BigEndian.AppendUint64([]byte("ZLIB"), uint64(len(data)))
		p.name, p.data = ".zdebug_"+name, slices.Concat(header, deflate(data))
	}
	return p
}

// bytes puts the executable together.
func (t tiny) bytes() []byte { return t.with(nil) }

// with puts the executable together with other contents of some sections.
func (t tiny) with(contents map[string][]byte) []byte {
	parts := t.parts()
	for _, p := range parts {
		if data, ok := contents[p.name]; ok {
			p.data = data
		}
	}
	at := uint64(tinyOffset)
	names := []byte{0}
	sections := map[string]*part{}
	for _, p := range parts {
		sections[p.name] = p
		p.Name = uint32(len(names))
		names = append(append(names, p.name...), 0)
		if p.Type == 0 {
			p.Type = uint32(elf.SHT_PROGBITS)
		}
		if p.name != ".text" {
			at = (at + 15) &^ 15
		}
		p.Off, p.Addr, p.Size = at, at+tinyData, uint64(len(p.data))
		if p.name == ".text" || p.name == ".gopclntab" {
			p.Addr = at + tinyText
		}
		at += p.Size
	}
	last := parts[len(parts)-1] // .shstrtab
	last.data, last.Size = names, uint64(len(names))
	t.address(sections)

	body := make([]byte, tinyOffset)
	headers := encode(elf.Section64{})
	for _, p := range parts {
		body = append(append(body, make([]byte, p.Off-uint64(len(body)))...), p.data...)
		headers = append(headers, encode(p.Section64)...)
	}
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Entry: tinyMain,
		Phoff: 64, Phentsize: 56, Phnum: 2, Ehsize: 64, Shentsize: 64,
	}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	if t.pie {
		header.Type = uint16(elf.ET_DYN)
	}
	if !t.bare {
		header.Shoff, header.Shnum, header.Shstrndx = uint64(len(body)), uint16(len(parts)+1), uint16(len(parts))
		body = append(body, headers...)
	}
	segment := elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X),
		Vaddr: tinyText, Filesz: uint64(len(body)), Memsz: uint64(len(body)), Align: 4096,
	}
	copy(body, encode(header))
	copy(body[64:], encode(segment))
	segment.Flags, segment.Vaddr = uint32(elf.PF_R|elf.PF_W), tinyData
	copy(body[64+56:], encode(segment))
	return body
}

// address fills in what depends on where the sections are.
func (t tiny) address(sections map[string]*part) {
	const minpc, textStart = 8 + 6*24 + 8, 8 + 6*24 + 8 + 2*8
	module, table := sections[".go.module"], sections[".gopclntab"]
	pointers := map[uint64]uint64{0: table.Addr, minpc: tinyMain, textStart: tinyMain}
	var relocations []byte
	for _, at := range []uint64{0, minpc, textStart} {
		if t.pie {
			relocations = append(relocations, words64(module.Addr+at, uint64(elf.R_X86_64_RELATIVE), pointers[at])...)
		} else {
			binary.LittleEndian.PutUint64(module.data[at:], pointers[at])
		}
	}
	if t.pie {
		copy(sections[".rela.dyn"].data, relocations)
	}
	if t.old {
		info := sections[".go.buildinfo"]
		copy(info.data[16:], words64(info.Addr+32, info.Addr+48, info.Addr+64, uint64(len("go1.17.13"))))
	}
}

// changed gives a section's contents other values, in place.
func changed(executable []byte, section string, change func(data []byte)) []byte {
	c := slices.Clone(executable)
	f, err := elf.NewFile(bytes.NewReader(c))
	if err != nil {
		panic(fmt.Sprintf("read a tiny executable: %v", err))
	}
	s := f.Section(section)
	change(c[s.Offset : s.Offset+s.FileSize])
	return c
}

// contents are a section's.
func contents(executable []byte, section string) (data []byte) {
	changed(executable, section, func(b []byte) { data = slices.Clone(b) })
	return data
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

func words32(words ...uint32) []byte { return encode(words) }

func words64(words ...uint64) []byte { return encode(words) }

func encode(v any) []byte {
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err)) // of fixed size, all of them
	}
	return b.Bytes()
}
