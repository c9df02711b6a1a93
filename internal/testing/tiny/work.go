package tiny

import (
	"io"
	"runtime"
)

// Work is what it takes to look at a file.
type Work struct {
	Allocated int64 // bytes, in all
	Read      int64 // bytes
	Reads     int64
}

// Measure says what do takes of a file.
func Measure(file io.ReaderAt, do func(io.ReaderAt)) Work {
	counting := &countingReader{reader: file}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do(counting)
	runtime.ReadMemStats(&after)
	return Work{int64(after.TotalAlloc - before.TotalAlloc), counting.bytes, counting.calls}
}

// Within tells whether all of it is within bounds.
func (w Work) Within(bounds Work) bool {
	return w.Allocated <= bounds.Allocated && w.Read <= bounds.Read && w.Reads <= bounds.Reads
}

// Bounds are what an inspection of a file of size bytes may take, whatever the file says: of
// a small file little. debug/elf allocates 10 MB before it reads a section that claims so many;
// what is compressed expands, and sections may overlap.
func Bounds(size int64) Work {
	size = min(size, 1<<30)
	return Work{
		Allocated: min(128<<20, 32<<20+64*size),
		Read:      min(640<<20, 16<<20+2048*size),
		Reads:     min(4<<20, 64<<10+size),
	}
}

// countingReader counts what is read through it.
type countingReader struct {
	reader       io.ReaderAt
	calls, bytes int64
}

func (r *countingReader) ReadAt(p []byte, at int64) (int, error) {
	n, err := r.reader.ReadAt(p, at)
	r.calls, r.bytes = r.calls+1, r.bytes+int64(n)
	return n, err
}
