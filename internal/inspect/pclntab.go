package inspect

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The function table of a Go executable: src/runtime/symtab.go (pcHeader,
// functab) and src/runtime/runtime2.go (_func). Its name is from when it mapped
// program counters to lines; stripping leaves it in place.

// The magic numbers of the layouts: src/internal/abi/symtab.go. Go 1.27 still
// writes the one of Go 1.20.
const (
	magic116 = 0xfffffffa
	magic118 = 0xfffffff0
	magic120 = 0xfffffff1
)

// maxFunctions bounds the table: the largest Go programs have a few hundred
// thousand.
const maxFunctions = 4 << 20

// Bounds on the search for the table where no section header says where it
// begins.
const (
	maxSearched = 256 << 20 // bytes
	maxMagics   = 1 << 12   // places that have a magic number: there is one table
)

// pclntab is where the parts of the function table are.
type pclntab struct {
	address   uint64 // virtual
	reader    *io.SectionReader
	functions uint64 // their number
	names     uint64 // offset of the names
	namesEnd  uint64 // where they end: the table of files' names by package is behind them
	pcTables  uint64 // offset of the tables by program counter
	entries   uint64 // offset of the table of (entry, function) pairs
	old       bool   // layout of Go 1.16 and 1.17: pairs of addresses
	// noInlining: its functions do not say what was inlined into them in the way
	// that is read, that of Go 1.20 and later.
	noInlining bool
	textStart  uint64 // as the table says; 0: it does not
}

// pclntab finds the table, by its section or, where that was merged with others
// or all section headers are lost, by its magic number.
func (f *File) pclntab() (*pclntab, error) {
	if s := f.section(".gopclntab", ".data.rel.ro.gopclntab"); s != nil {
		t, err := readTable(
			s.Addr, io.NewSectionReader(f.reader, int64(s.Offset), int64(s.FileSize)),
		)
		if err != nil {
			return nil, fmt.Errorf("read the function table: %w", err)
		}
		return t, nil
	}
	if s := f.section(".data.rel.ro"); s != nil && s.FileSize <= maxSearched {
		// Up to Go 1.25 an external linker puts the table of a
		// position-independent executable here.
		if t := searchTable(
			s.Addr, io.NewSectionReader(f.reader, int64(s.Offset), int64(s.FileSize)),
		); t != nil {
			return t, nil
		}
	}
	if f.section(".go.buildinfo", ".note.go.buildid") != nil {
		return nil, fmt.Errorf(
			"%w: a Go executable without a function table (section .gopclntab), which says where its functions are",
			ErrUnsupported,
		)
	}
	if len(f.elf.Sections) > 0 {
		return nil, fmt.Errorf("%w: it has no function table (section .gopclntab)", ErrNotGo)
	}
	left := uint64(maxSearched)
	for _, p := range f.elf.Progs {
		if p.Type != elf.PT_LOAD || p.Filesz > left {
			continue
		}
		left -= p.Filesz
		if t := searchTable(
			p.Vaddr, io.NewSectionReader(f.reader, int64(p.Off), int64(p.Filesz)),
		); t != nil {
			return t, nil
		}
	}
	return nil, fmt.Errorf("%w: it has neither section headers nor a function table", ErrNotGo)
}

// readTable reads the table's header.
func readTable(address uint64, reader *io.SectionReader) (*pclntab, error) {
	t := &pclntab{address: address, reader: reader}
	var header [72]byte
	if _, err := reader.ReadAt(header[:], 0); err != nil {
		return nil, fmt.Errorf("read its header: %w", err)
	}
	if header[4] != 0 || header[5] != 0 || header[7] != 8 {
		return nil, errors.New("its header is not one")
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(header[8+8*i:]) }
	t.functions = word(0)
	switch magic := binary.LittleEndian.Uint32(header[:]); magic {
	case magic116:
		t.old, t.names, t.namesEnd, t.entries = true, word(2), word(3), word(6)
		t.noInlining = true
	case magic118, magic120:
		t.textStart, t.names, t.namesEnd, t.pcTables, t.entries = word(2), word(3), word(4), word(
			6,
		), word(7)
		t.noInlining = magic == magic118
	default:
		return nil, fmt.Errorf(
			"%w: a layout that is not known (magic number %#x)", ErrUnsupported, magic,
		)
	}
	size := uint64(reader.Size())
	if t.functions == 0 || t.functions > maxFunctions || t.names >= t.namesEnd ||
		t.namesEnd > size ||
		t.pcTables > size ||
		t.entries >= size {
		return nil, fmt.Errorf(
			"it claims %d functions, names from %#x to %#x and entries at %#x of %#x bytes",
			t.functions, t.names, t.namesEnd, t.entries, size,
		)
	}
	return t, nil
}

// searchTable looks for the table in an area, at multiples of eight bytes.
func searchTable(address uint64, area *io.SectionReader) *pclntab {
	const chunk = 1 << 20
	data := make([]byte, chunk)
	magics := 0
	for start := int64(0); start < area.Size() && magics < maxMagics; start += chunk {
		n, _ := area.ReadAt(data, start) // what is missing shows in n
		for at := 0; at+8 <= n && magics < maxMagics; {
			// All magic numbers end in these bytes, and two of zero follow.
			found := bytes.Index(data[at:n], []byte{0xff, 0xff, 0xff, 0, 0})
			if found < 0 {
				break
			}
			header := at + found - 1
			at += found + 1
			if header < 0 || header%8 != 0 {
				continue
			}
			magics++
			offset := start + int64(header)
			rest := io.NewSectionReader(area, offset, area.Size()-offset)
			if t, err := readTable(address+uint64(offset), rest); err == nil {
				return t
			}
		}
	}
	return nil
}

// walk calls visit for each function with its entry, the entry of the next one
// (both relative to the text's base, but for the old layout) and the offset of
// its _func from the table of pairs.
func (t *pclntab) walk(visit func(entry, next, function uint64) error) error {
	width := 4
	if t.old {
		width = 8
	}
	buffered := bufio.NewReaderSize(
		io.NewSectionReader(t.reader, int64(t.entries), t.reader.Size()-int64(t.entries)), 64<<10,
	)
	number := make([]byte, width)
	read := func() (uint64, error) {
		if _, err := io.ReadFull(buffered, number); err != nil {
			return 0, fmt.Errorf("read its entries: %w", err)
		}
		if t.old {
			return binary.LittleEndian.Uint64(number), nil
		}
		return uint64(binary.LittleEndian.Uint32(number)), nil
	}
	entry, err := read()
	if err != nil {
		return err
	}
	for range t.functions {
		function, err := read()
		if err != nil {
			return err
		}
		next, err := read()
		if err != nil {
			return err
		}
		if err := visit(entry, next, function); err != nil {
			return err
		}
		entry = next
	}
	return nil
}

// firstEntry is the entry of the first function, relative to the text's base
// but for the old layout.
func (t *pclntab) firstEntry() (uint64, error) {
	var number [8]byte
	size := 4
	if t.old {
		size = 8
	}
	if _, err := t.reader.ReadAt(number[:size], int64(t.entries)); err != nil {
		return 0, fmt.Errorf("read its first entry: %w", err)
	}
	return binary.LittleEndian.Uint64(number[:]), nil
}
