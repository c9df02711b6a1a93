package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Offsets in runtime.moduledata: src/runtime/symtab.go. They are the same from
// Go 1.18 to 1.27, where pcHeader, six slices (funcnametab, cutab, filetab,
// pctab, pclntable, ftab), findfunctab, minpc and maxpc come before text.
const (
	moduledataMinPC = 8 + 6*24 + 8
	moduledataText  = moduledataMinPC + 8 + 8
	// moduledataSize is as much of it as is read.
	moduledataSize = 384
)

// maxCandidates bounds the places that may be moduledata: words that point to
// the function table, of which there is one.
const maxCandidates = 64

// moduledata is the beginning of what may be runtime.moduledata, word by word.
type moduledata [moduledataSize / 8]uint64

func (m *moduledata) minpc() uint64 { return m[moduledataMinPC/8] }
func (m *moduledata) text() uint64  { return m[moduledataText/8] }

// textBase says what address function entries are relative to, given moduledata
// or why there is none. The table itself says it up to Go 1.25, but not in
// position-independent executables; after that (src/runtime/symtab.go, pcHeader)
// only runtime.moduledata does. Up to Go 1.17 entries are not relative.
func (f *File) textBase(t *pclntab, data *moduledata, noData error) (uint64, error) {
	switch {
	case t.old:
		return 0, nil
	case t.textStart != 0 && f.elf.Type == elf.ET_EXEC:
		if _, ok := f.fileOffset(t.textStart); !ok {
			return 0, fmt.Errorf(
				"its text starts at %#x, which is not in an executable segment", t.textStart,
			)
		}
		return t.textStart, nil
	case noData != nil:
		return 0, noData
	}
	return data.text(), nil
}

// moduledata finds runtime.moduledata, which points to the function table, and
// whose minpc is the address of the first function.
func (f *File) moduledata(t *pclntab) (*moduledata, error) {
	first, err := t.firstEntry()
	if err != nil {
		return nil, err
	}
	candidates, err := f.candidates(t.address)
	if err != nil {
		return nil, err
	}
	for i := range candidates {
		data := &candidates[i]
		entry := first
		if !t.old {
			entry += data.text()
		}
		if _, ok := f.fileOffset(data.minpc()); ok && data.minpc() == entry {
			return data, nil
		}
	}
	return nil, errors.New("runtime.moduledata, which says where the text starts, cannot be found")
}

// candidates finds what may be moduledata: its first field points to the
// function table. The words of a position-independent executable are made by
// its relocations when it is loaded, unless they are packed (DT_RELR): then the
// words are in place as in any other executable.
func (f *File) candidates(pclntab uint64) ([]moduledata, error) {
	if f.elf.Type == elf.ET_DYN {
		found, err := f.candidatesFromRelocations(pclntab)
		if len(found) > 0 || err != nil {
			return found, err
		}
	}
	var all []moduledata
	for _, area := range f.dataAreas() {
		found, err := candidatesFromData(area, pclntab)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// dataAreas are the parts of the file in which linkers put moduledata: a section
// of its own since Go 1.26, before that .noptrdata, or where an external linker
// moved it.
func (f *File) dataAreas() []*io.SectionReader {
	var areas []*io.SectionReader
	for _, name := range []string{".go.module", ".noptrdata", ".data", ".data.rel.ro"} {
		if s := f.section(name); s != nil {
			areas = append(areas, io.NewSectionReader(f.reader, int64(s.Offset), int64(s.FileSize)))
		}
	}
	if len(f.elf.Sections) > 0 {
		return areas
	}
	for _, p := range f.elf.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_W != 0 {
			areas = append(areas, io.NewSectionReader(f.reader, int64(p.Off), int64(p.Filesz)))
		}
	}
	return areas
}

func candidatesFromData(area *io.SectionReader, pclntab uint64) ([]moduledata, error) {
	pattern := binary.LittleEndian.AppendUint64(nil, pclntab)
	var found []moduledata
	err := eachChunk(area, len(pattern), func(start int64, chunk []byte) (more bool) {
		for at := 0; len(found) < maxCandidates; at++ {
			next := bytes.Index(chunk[at:], pattern)
			if next < 0 {
				return true
			}
			at += next
			var head [moduledataSize]byte
			if at%8 != 0 {
				continue
			}
			if n, err := area.ReadAt(head[:], start+int64(at)); err != nil && n < moduledataText+8 {
				continue // too near the end to be it
			}
			var data moduledata
			for i := range data {
				data[i] = binary.LittleEndian.Uint64(head[8*i:])
			}
			found = append(found, data)
		}
		return false
	})
	return found, err
}

// Relocations that add the load address to a constant: the x86-64 psABI and
// the AArch64 ELF ABI.
const (
	relativeAMD64 = uint32(elf.R_X86_64_RELATIVE)
	relativeARM64 = uint32(elf.R_AARCH64_RELATIVE)
)

// relaSize is the size of an Elf64_Rela: address, type and symbol, addend.
const relaSize = 24

func (f *File) candidatesFromRelocations(pclntab uint64) ([]moduledata, error) {
	at := map[uint64]*moduledata{} // by address
	err := f.eachRelative(func(address, addend uint64) {
		if addend == pclntab && len(at) < maxCandidates {
			at[address] = &moduledata{}
		}
	})
	if err != nil || len(at) == 0 {
		return nil, err
	}
	err = f.eachRelative(func(address, addend uint64) {
		for start, data := range at {
			if distance := address - start; distance < moduledataSize && distance%8 == 0 {
				data[distance/8] = addend
			}
		}
	})
	var found []moduledata
	for _, data := range at {
		found = append(found, *data)
	}
	return found, err
}

// eachRelative visits the relative relocations.
func (f *File) eachRelative(visit func(address, addend uint64)) error {
	for _, section := range f.elf.Sections {
		if section.Type != elf.SHT_RELA {
			continue
		}
		area := io.NewSectionReader(f.reader, int64(section.Offset), int64(section.FileSize))
		err := eachChunk(area, relaSize, func(_ int64, chunk []byte) bool {
			for ; len(chunk) >= relaSize; chunk = chunk[relaSize:] {
				if kind := binary.LittleEndian.Uint32(chunk[8:]); kind == relativeAMD64 ||
					kind == relativeARM64 {
					visit(binary.LittleEndian.Uint64(chunk), binary.LittleEndian.Uint64(chunk[16:]))
				}
			}
			return true
		})
		if err != nil {
			return fmt.Errorf("read the relocations: %w", err)
		}
	}
	return nil
}

// eachChunk visits an area, that consists of records of size bytes, in chunks of
// whole records, until visit returns false. The last chunk may end with a part of
// a record.
func eachChunk(
	area *io.SectionReader, size int, visit func(start int64, chunk []byte) (more bool),
) error {
	buffer := make([]byte, 8<<10*size)
	for start := int64(0); start < area.Size(); start += int64(len(buffer)) {
		n, err := area.ReadAt(buffer, start)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if !visit(start, buffer[:n]) || n < len(buffer) {
			return nil
		}
	}
	return nil
}
