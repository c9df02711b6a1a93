package inspect

import (
	"bufio"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Offsets in runtime.moduledata: src/runtime/symtab.go. Both are the same from
// Go 1.18 to 1.27: a pointer, six slices, findfunctab, minpc and maxpc come
// before text.
const (
	moduledataHeader = 0
	moduledataText   = 8 + 6*24 + 8 + 8 + 8
)

// textBase finds the address that function entries are relative to. The table
// itself says it up to Go 1.25 (and not for position-independent executables);
// after that only runtime.moduledata does.
func (f *File) textBase(t *pclntab) (uint64, error) {
	if t.textStart != 0 && f.elf.Type == elf.ET_EXEC {
		return t.textStart, nil
	}
	text, err := f.moduledataText(t.address)
	if err != nil {
		return 0, err
	}
	if _, ok := f.fileOffset(text); !ok {
		return 0, fmt.Errorf("its text starts at %#x, which is not in an executable segment", text)
	}
	return text, nil
}

// moduledataText reads moduledata.text. The struct is known by its first field,
// which points to the function table.
func (f *File) moduledataText(pclntab uint64) (uint64, error) {
	if text, ok, err := f.textFromRelocations(pclntab); ok || err != nil {
		return text, err
	}
	for _, name := range []string{".go.module", ".noptrdata", ".data", ".data.rel.ro"} {
		section := f.section(name)
		if section == nil {
			continue
		}
		text, ok, err := textFromData(io.NewSectionReader(f.reader, int64(section.Offset), int64(section.Size)), pclntab)
		if ok || err != nil {
			return text, err
		}
	}
	return 0, errors.New("runtime.moduledata, which says where the text starts, cannot be found")
}

// textFromData looks for moduledata in a section that holds its words.
func textFromData(section *io.SectionReader, pclntab uint64) (uint64, bool, error) {
	buffered := bufio.NewReaderSize(section, 64<<10)
	var word [8]byte
	for at := int64(0); ; at += 8 {
		if _, err := io.ReadFull(buffered, word[:]); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return 0, false, nil
			}
			return 0, false, err
		}
		if binary.LittleEndian.Uint64(word[:]) != pclntab {
			continue
		}
		if _, err := section.ReadAt(word[:], at+moduledataText); err != nil {
			continue // too near the end to be it
		}
		if text := binary.LittleEndian.Uint64(word[:]); text != 0 {
			return text, true, nil
		}
	}
}

// Relocations that add the load address to a constant: the x86-64 psABI and
// the AArch64 ELF ABI.
const (
	relativeAMD64 = uint32(elf.R_X86_64_RELATIVE)
	relativeARM64 = uint32(elf.R_AARCH64_RELATIVE)
)

// relaSize is the size of an Elf64_Rela: address, type and symbol, addend.
const relaSize = 24

// textFromRelocations looks for moduledata in a position-independent
// executable, whose words are made by the relocations when it is loaded.
func (f *File) textFromRelocations(pclntab uint64) (uint64, bool, error) {
	if f.elf.Type != elf.ET_DYN {
		return 0, false, nil
	}
	headers := map[uint64]bool{} // addresses of words that point to the table
	err := f.eachRelative(func(address, addend uint64) bool {
		if addend == pclntab {
			headers[address-moduledataHeader] = true
		}
		return len(headers) > 64
	})
	if err != nil || len(headers) == 0 {
		return 0, false, err
	}
	var text uint64
	err = f.eachRelative(func(address, addend uint64) bool {
		if headers[address-moduledataText] {
			text = addend
		}
		return text != 0
	})
	return text, text != 0, err
}

// eachRelative visits the relative relocations until visit returns true.
func (f *File) eachRelative(visit func(address, addend uint64) bool) error {
	for _, section := range f.elf.Sections {
		if section.Type != elf.SHT_RELA {
			continue
		}
		buffered := bufio.NewReaderSize(io.NewSectionReader(f.reader, int64(section.Offset), int64(section.Size)), 64<<10)
		var entry [relaSize]byte
		for {
			if _, err := io.ReadFull(buffered, entry[:]); err != nil {
				if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
					break
				}
				return fmt.Errorf("read the relocations: %w", err)
			}
			if kind := binary.LittleEndian.Uint32(entry[8:]); kind != relativeAMD64 && kind != relativeARM64 {
				continue
			}
			if visit(binary.LittleEndian.Uint64(entry[0:]), binary.LittleEndian.Uint64(entry[16:])) {
				return nil
			}
		}
	}
	return nil
}
