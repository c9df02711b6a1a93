package inspect_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// Where the code of a tiny executable is, in memory and in the file.
const (
	tinyAddress = 0x400000 + tinyOffset
	tinyOffset  = 64 + 56
)

// tinyExecutable makes an executable of two kilobytes that has all that is read
// of one: a function table, moduledata, build information and debug information
// for one function and one struct. Fuzzing changes small files fast.
func tinyExecutable() []byte {
	code := []byte{0x55, 0xc3}
	names := []byte("main.main\x00")
	pclntab := words32(0xfffffff1, 8<<24|1<<16)
	pclntab = append(pclntab, words64(1, 0, 0, 72, 0, 0, 0, 72+16)...)
	pclntab = append(pclntab, append(names, make([]byte, 16-len(names))...)...)
	pclntab = append(pclntab, words32(0, 12, 2, 0, 0)...) // entry, _func, end; its entryOff, nameOff

	moduledata := make([]byte, 8+6*24+8)
	moduledata = append(moduledata, words64(tinyAddress, tinyAddress+2, tinyAddress, tinyAddress+2)...)

	buildinfo := append([]byte("\xff Go buildinf:\x08\x02"), make([]byte, 16)...)
	buildinfo = append(buildinfo, "\x08go1.26.8\x00"...)

	abbrev := []byte{
		1, 0x11, 1, 0x03, 0x08, 0, 0, // compile unit: name
		2, 0x13, 1, 0x03, 0x08, 0x0b, 0x0f, 0, 0, // struct: name, size
		3, 0x0d, 0, 0x03, 0x08, 0x38, 0x0f, 0x49, 0x10, 0, 0, // member: name, offset, type
		0,
	}
	unit := []byte{4, 0, 0, 0, 0, 0, 8} // version, abbreviations, address size
	unit = append(unit, "\x01runtime\x00\x02net/http.response\x00\x08\x03status\x00\x78\x00\x00\x00\x00\x00\x00"...)
	info := append(words32(uint32(len(unit))), unit...)

	type section struct {
		name string
		data []byte
	}
	sections := []section{
		{".text", code},
		{".gopclntab", pclntab},
		{".go.module", moduledata},
		{".go.buildinfo", buildinfo},
		{".debug_info", info},
		{".debug_abbrev", abbrev},
		{".shstrtab", nil},
	}
	strings := []byte{0}
	for _, s := range sections {
		strings = append(append(strings, s.name...), 0)
	}
	sections[len(sections)-1].data = strings

	body := make([]byte, tinyOffset)
	headers := []elf.Section64{{}}
	name := uint32(1)
	for _, s := range sections {
		for len(body)%16 != 0 && s.name != ".text" {
			body = append(body, 0)
		}
		header := elf.Section64{Name: name, Type: uint32(elf.SHT_PROGBITS), Off: uint64(len(body)), Size: uint64(len(s.data))}
		header.Addr = header.Off + tinyAddress - tinyOffset
		switch s.name {
		case ".shstrtab":
			header.Type = uint32(elf.SHT_STRTAB)
		case ".go.module":
			binary.LittleEndian.PutUint64(s.data, headers[2].Addr) // pcHeader
		}
		headers = append(headers, header)
		name += uint32(len(s.name)) + 1
		body = append(body, s.data...)
	}
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Entry: tinyAddress,
		Phoff: 64, Phentsize: 56, Phnum: 1, Ehsize: 64,
		Shoff: uint64(len(body)), Shentsize: 64, Shnum: uint16(len(headers)), Shstrndx: uint16(len(headers) - 1),
	}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	segment := elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W | elf.PF_X),
		Vaddr: tinyAddress - tinyOffset, Filesz: uint64(len(body)), Memsz: uint64(len(body)), Align: 4096,
	}
	copy(body, encode(header))
	copy(body[64:], encode(segment))
	return append(body, encode(headers)...)
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
