package inspect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/spanprobe/spanprobe/internal/model"
)

// maxName bounds a function's name, in bytes. Generic ones get long; none that
// is wanted is.
const maxName = 512

// newTracerProvider is how the name of the function ends that makes tracer providers
// of OpenTelemetry's SDK (sdk/trace/provider.go of go.opentelemetry.io/otel), in a
// vendor folder or a fork as well. The linker leaves out what is never called: a
// program that gets no more than the API, the types or the metrics from its
// dependencies does not have it.
const newTracerProvider = "/sdk/trace.NewTracerProvider"

// functions finds the wanted functions in one pass over the table, whose entries
// are relative to text, and the name of the one that makes tracer providers.
func (f *File) functions(table *pclntab, text uint64, wanted []string) (found map[string]model.Function, tracerProvider string, err error) {
	names := make(map[string]bool, len(wanted))
	for _, name := range wanted {
		names[name] = true
	}
	found = make(map[string]model.Function, len(wanted))
	reader := newNameReader(table)
	err = table.walk(func(entry, next, function uint64) error {
		name, err := reader.name(function, names)
		if err != nil || name == "" {
			return err
		}
		delete(names, name) // a table may claim it a million times
		found[name], err = f.function(name, text+entry, text+next)
		return err
	})
	return found, reader.tracerProvider, err
}

// function reads the code of a function that ends before next.
func (f *File) function(name string, entry, next uint64) (model.Function, error) {
	function := model.Function{Name: name, Address: entry}
	offset, ok := f.fileOffset(entry)
	if !ok {
		return function, fmt.Errorf("%s at %#x is not in an executable segment", name, entry)
	}
	size := uint64(MaxCode)
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

// nameReader reads functions' names through two windows that move forward with
// the walk: both _funcs and names lie about in the order of the functions.
type nameReader struct {
	table     *pclntab
	functions window
	names     window
	nameField int64 // offset of _func.nameOff
	buffer    [maxName]byte
	// tracerProvider is the first name that ends in newTracerProvider; "": none did.
	tracerProvider string
}

func newNameReader(t *pclntab) *nameReader {
	r := &nameReader{table: t, nameField: 4} // behind entryOff
	if t.old {
		r.nameField = 8 // behind the address
	}
	// In order, each byte is read little more than once. What is all out of
	// order is no table that a linker made, and would be read for hours.
	moves := 64 + 16*int(t.reader.Size()/windowSize)
	r.functions = window{reader: t.reader, moves: moves}
	r.names = window{reader: t.reader, moves: moves}
	return r
}

// name returns the function's name if it is a wanted one, else "".
func (r *nameReader) name(function uint64, wanted map[string]bool) (string, error) {
	var number [4]byte
	n, err := r.functions.read(number[:], int64(r.table.entries+function)+r.nameField)
	if err != nil {
		return "", err
	}
	if n < len(number) {
		return "", errors.New("a function lies outside of it")
	}
	n, err = r.names.read(r.buffer[:], int64(r.table.names+uint64(binary.LittleEndian.Uint32(number[:]))))
	if err != nil {
		return "", err
	}
	end := bytes.IndexByte(r.buffer[:n], 0)
	if end < 0 {
		return "", nil
	}
	name := r.buffer[:end]
	if r.tracerProvider == "" && bytes.HasSuffix(name, []byte(newTracerProvider)) {
		r.tracerProvider = string(name)
	}
	if !wanted[string(name)] {
		return "", nil
	}
	return string(name), nil
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
		// A quarter of the window stays behind the offset: names and functions
		// are nearly, but not wholly, in order.
		w.start = max(at-windowSize/4, 0)
		w.length, _ = w.reader.ReadAt(w.data[:], w.start) // what is missing shows in the length
	}
	if at >= w.start+int64(w.length) {
		return 0, nil
	}
	return copy(to, w.data[at-w.start:w.length]), nil
}
