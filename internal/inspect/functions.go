package inspect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/spanprobe/spanprobe/internal/model"
)

// found is what one pass over the function table finds.
type found struct {
	functions      map[string]model.Function
	elsewhere      map[string]string // wanted functions by name, and one of each in another package
	tracerProvider string            // the first function that makes one; "": there is none
	inlined        *inlining
}

// functions finds the wanted functions in one pass over the table, whose entries
// are relative to text, and collects the trees of what was inlined.
func (f *File) functions(table *pclntab, text uint64, wanted []string) (found, error) {
	names, err := table.findNames(wanted)
	if err != nil {
		return found{}, err
	}
	f.folders = names.folders
	all := found{
		functions: make(map[string]model.Function, len(wanted)),
		elsewhere: map[string]string{},
		inlined:   &inlining{table: table, names: names.wanted},
	}
	reader := newFuncReader(table)
	err = table.walk(func(entry, next, function uint64) error {
		d, err := reader.read(function)
		if err != nil {
			return err
		}
		all.inlined.note(d, function)
		if all.tracerProvider == "" {
			all.tracerProvider = names.providers[d.name]
		}
		if other, ok := names.others[d.name]; ok {
			all.elsewhere[other.wanted] = other.whole
		}
		name, ok := names.wanted[d.name]
		if !ok {
			return nil
		}
		if _, ok := all.functions[name]; ok {
			return nil // a table may claim it a million times
		}
		all.functions[name], err = f.function(name, text+entry, text+next)
		return err
	})
	return all, err
}

// function reads the code of a function that ends before next.
func (f *File) function(name string, entry, next uint64) (model.Function, error) {
	function := model.Function{Name: name, Address: entry}
	offset, ok := f.fileOffset(entry)
	if !ok {
		return function, fmt.Errorf("%s at %#x is not in an executable segment", name, entry)
	}
	size := uint64(model.MaxCode)
	if next > entry && next-entry < size {
		size = next - entry
	}
	code := make([]byte, size)
	n, err := f.reader.ReadAt(code, int64(offset))
	if err != nil && !errors.Is(err, io.EOF) {
		return function, fmt.Errorf("read the code of %s: %w", name, err)
	}
	function.FileOffset, function.Code = offset, code[:n]
	return function, nil
}

// funcReader reads functions' descriptions (runtime._func) through a window that
// moves forward with the walk: they lie about in the order of the functions.
type funcReader struct {
	table  *pclntab
	window window
	last   description
}

func newFuncReader(t *pclntab) *funcReader {
	// In order, each byte is read little more than once. A table that is all out of
	// order was made by no linker, and reading it would take hours.
	return &funcReader{
		table:  t,
		window: window{reader: t.reader, moves: 64 + 16*int(t.reader.Size()/windowSize)},
	}
}

// Offsets in runtime._func (src/runtime/runtime2.go), in bytes. Its name comes
// behind the entry, which is an address up to Go 1.17. The rest is that of Go 1.20
// to 1.27.
const (
	funcName    = 4
	funcOldName = 8
	funcPCData  = 28 // how many tables by program counter it has
	funcData    = 43 // how many other tables
	funcTables  = 44 // those of the first kind, then those of the second
	mostPCData  = 16 // Go 1.27 has five
	funcLength  = funcTables + 4*(mostPCData+inlineData+1)
)

// description is what is read of a function's description.
type description struct {
	name uint32           // its offset in the table's names
	rest [funcLength]byte // all of it, as far as it is there
	n    int              // bytes in rest
}

// word is the 32-bit number at an offset in the description.
func (d *description) word(at int) uint32 { return binary.LittleEndian.Uint32(d.rest[at:]) }

// read reads one; it is good until the next is read.
func (r *funcReader) read(function uint64) (*description, error) {
	d := &r.last
	n, err := r.window.read(d.rest[:], int64(r.table.entries+function))
	if err != nil {
		return nil, err
	}
	name := funcName
	if r.table.old {
		name = funcOldName
	}
	if n < name+4 {
		return nil, errors.New("a function lies outside of it")
	}
	d.name, d.n = d.word(name), n
	return d, nil
}

// windowSize is how much of a file a window holds, in bytes.
const windowSize = 64 << 10

// window is a part of a file in memory.
type window struct {
	reader io.ReaderAt
	data   [windowSize]byte
	start  int64
	length int
	moves  int // how often it may still be moved
}

// read copies what lies at an offset, and returns how much there was.
func (w *window) read(to []byte, at int64) (int, error) {
	if at < 0 {
		return 0, nil
	}
	if at < w.start || at+int64(len(to)) > w.start+int64(w.length) {
		if w.moves--; w.moves < 0 {
			return 0, errors.New("its functions are in no order")
		}
		// A quarter of the window stays behind the offset: functions are nearly, but
		// not wholly, in order.
		w.start = max(at-windowSize/4, 0)
		w.length, _ = w.reader.ReadAt(w.data[:], w.start) // what is missing shows in the length
	}
	if at >= w.start+int64(w.length) {
		return 0, nil
	}
	return copy(to, w.data[at-w.start:w.length]), nil
}

// name reads the name at an offset in the table's names; "" if there is none of a
// length that is read.
func (t *pclntab) name(at uint32) string {
	var buffer [maxIdentifier]byte
	n, _ := t.reader.ReadAt(buffer[:], int64(t.names)+int64(at)) // what is missing shows in n
	end := bytes.IndexByte(buffer[:n], 0)
	return string(buffer[:max(end, 0)])
}
