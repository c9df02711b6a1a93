package inspect

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/spanprobe/spanprobe/internal/model"
)

// The function table of a Go executable: src/runtime/symtab.go (pcHeader,
// functab) and src/runtime/runtime2.go (_func). Its name is from when it mapped
// program counters to lines; stripping leaves it in place.

// The magic numbers of the layouts: src/internal/abi/symtab.go.
const (
	magic116 = 0xfffffffa
	magic118 = 0xfffffff0
	magic120 = 0xfffffff1
)

// maxFunctions bounds the table: the largest Go programs have a few hundred
// thousand.
const maxFunctions = 4 << 20

// maxName bounds a function's name. Generic ones get long; none that is wanted is.
const maxName = 512

// pclntab is where the parts of the function table are.
type pclntab struct {
	address   uint64 // virtual
	reader    *io.SectionReader
	functions uint64 // their number
	names     uint64 // offset of the names
	entries   uint64 // offset of the table of (entry, function) pairs
	old       bool   // layout of Go 1.16 and 1.17: pairs of addresses
	textStart uint64 // as the table says; 0: it does not
}

// functions finds the wanted functions in one pass over the table.
func (f *File) functions(wanted []string) (map[string]model.Function, error) {
	table, err := f.pclntab()
	if err != nil {
		return nil, err
	}
	var text uint64
	if !table.old {
		if text, err = f.textBase(table); err != nil {
			return nil, err
		}
	}
	names := make(map[string]bool, len(wanted))
	for _, name := range wanted {
		names[name] = true
	}
	found := make(map[string]model.Function, len(wanted))
	lookUp := newNameReader(table)
	err = table.walk(func(entry, next, function uint64) error {
		name, err := lookUp.name(function, names)
		if err != nil || name == "" {
			return err
		}
		entry, next = entry+text, next+text
		offset, ok := f.fileOffset(entry)
		if !ok {
			return fmt.Errorf("%s at %#x is not in an executable segment", name, entry)
		}
		size := uint64(MaxCode)
		if next > entry && next-entry < size {
			size = next - entry
		}
		code := make([]byte, size)
		n, err := f.reader.ReadAt(code, int64(offset))
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		found[name] = model.Function{Name: name, Address: entry, FileOffset: offset, Code: code[:n]}
		return nil
	})
	return found, err
}

// pclntab reads the table's header.
func (f *File) pclntab() (*pclntab, error) {
	section := f.section(".gopclntab", ".data.rel.ro.gopclntab")
	if section == nil {
		return nil, fmt.Errorf("%w: no function table (.gopclntab)", ErrNotGo)
	}
	t := &pclntab{address: section.Addr, reader: io.NewSectionReader(f.reader, int64(section.Offset), int64(section.Size))}
	var header [72]byte
	if _, err := t.reader.ReadAt(header[:], 0); err != nil {
		return nil, fmt.Errorf("read its header: %w", err)
	}
	if header[4] != 0 || header[5] != 0 || header[7] != 8 {
		return nil, errors.New("its header is not one")
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(header[8+8*i:]) }
	t.functions = word(0)
	switch magic := binary.LittleEndian.Uint32(header[:]); magic {
	case magic116:
		t.old, t.names, t.entries = true, word(2), word(6)
	case magic118, magic120:
		t.textStart, t.names, t.entries = word(2), word(3), word(7)
	default:
		return nil, fmt.Errorf("%w: function table of an unknown layout (magic %#x)", ErrUnsupported, magic)
	}
	size := uint64(t.reader.Size())
	if t.functions > maxFunctions || t.names >= size || t.entries >= size {
		return nil, fmt.Errorf("it claims %d functions, names at %#x and entries at %#x of %#x bytes", t.functions, t.names, t.entries, size)
	}
	return t, nil
}

// walk calls visit for each function with its entry, the entry of the next one
// (both relative to the text's base, but for the old layout) and the offset of
// its _func from the table of pairs.
func (t *pclntab) walk(visit func(entry, next, function uint64) error) error {
	width := 4
	if t.old {
		width = 8
	}
	buffered := bufio.NewReaderSize(io.NewSectionReader(t.reader, int64(t.entries), t.reader.Size()-int64(t.entries)), 64<<10)
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

// nameReader reads functions' names through two windows that move forward with
// the walk: both _funcs and names lie about in the order of the functions.
type nameReader struct {
	table     *pclntab
	functions window
	names     window
	nameField int64 // offset of _func.nameOff
	buffer    [maxName]byte
}

func newNameReader(t *pclntab) *nameReader {
	r := &nameReader{table: t, nameField: 4}
	if t.old {
		r.nameField = 8
	}
	r.functions.reader, r.names.reader = t.reader, t.reader
	return r
}

// name returns the function's name if it is a wanted one, else "".
func (r *nameReader) name(function uint64, wanted map[string]bool) (string, error) {
	var number [4]byte
	if n := r.functions.read(number[:], int64(r.table.entries+function)+r.nameField); n < len(number) {
		return "", errors.New("a function lies outside of it")
	}
	at := int64(r.table.names + uint64(binary.LittleEndian.Uint32(number[:])))
	n := r.names.read(r.buffer[:], at)
	end := bytes.IndexByte(r.buffer[:n], 0)
	if end < 0 || !wanted[string(r.buffer[:end])] {
		return "", nil
	}
	return string(r.buffer[:end]), nil
}

// window is a part of a file in memory.
type window struct {
	reader io.ReaderAt
	data   [64 << 10]byte
	start  int64
	length int
}

// read copies what lies at an offset, and returns how much there was.
func (w *window) read(to []byte, at int64) int {
	if at < 0 {
		return 0
	}
	if at < w.start || at+int64(len(to)) > w.start+int64(w.length) {
		// A quarter of the window stays behind the offset: names and functions
		// are nearly, but not wholly, in order.
		w.start = max(at-int64(len(w.data)/4), 0)
		n, _ := w.reader.ReadAt(w.data[:], w.start) // what is missing shows in n
		w.length = n
	}
	if at >= w.start+int64(w.length) {
		return 0
	}
	return copy(to, w.data[at-w.start:w.length])
}
