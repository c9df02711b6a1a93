package inspect_test

import (
	"bytes"
	"io"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/internal/inspect"
	"github.com/spanprobe/spanprobe/internal/model"
)

// What an inspection may take, whatever the file says.
const (
	memoryBound = 128 << 20 // bytes that are allocated in all
	readBound   = 640 << 20
	callsBound  = 4 << 20 // reads
	timeBound   = time.Minute
)

func FuzzInspect(f *testing.F) {
	for _, kind := range tinies() {
		whole := kind.bytes()
		f.Add(whole)
		f.Add(whole[:len(whole)/2])
		f.Add(whole[:65])
		for at := 0; at < len(whole); at += 61 {
			damaged := slices.Clone(whole)
			damaged[at] ^= 0xff
			f.Add(damaged)
		}
	}
	for _, data := range lies() {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { inspectBounded(t, bytes.NewReader(data), int64(len(data))) })
}

// FuzzDebugInfo changes debug information alone, which would else be behind all
// the rest.
func FuzzDebugInfo(f *testing.F) {
	var info, abbrev []byte
	for _, p := range (tiny{}).parts() {
		switch p.name {
		case ".debug_info":
			info = p.data
		case ".debug_abbrev":
			abbrev = p.data
		}
	}
	f.Add(info, abbrev)
	f.Add(append(words32(0xffffffff), append(words64(uint64(len(info))), info...)...), abbrev)
	f.Fuzz(func(t *testing.T, info, abbrev []byte) {
		data := (tiny{}).with(map[string][]byte{".debug_info": info, ".debug_abbrev": abbrev})
		inspectBounded(t, bytes.NewReader(data), int64(len(data)))
	})
}

// inspectBounded does all that is ever done with an executable, and fails the
// test if that takes more than it may.
func inspectBounded(t *testing.T, reader io.ReaderAt, size int64) (*model.Binary, error) {
	t.Helper()
	counting := &countingReader{reader: reader}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	b, err := inspectAll(counting, size)
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > memoryBound {
		t.Errorf("%d bytes were allocated for a file of %d", grown, size)
	}
	if counting.bytes > readBound || counting.calls > callsBound || took > timeBound {
		t.Errorf("%d bytes were read in %d reads and %s, of a file of %d", counting.bytes, counting.calls, took, size)
	}
	if (b == nil) == (err == nil) {
		t.Errorf("the answer is %v and %v", b, err)
	}
	return b, err
}

var status = model.Field{Package: "net/http", Struct: "response", Field: "status"}

// inspectAll does all that is ever done with an executable.
func inspectAll(reader io.ReaderAt, size int64) (*model.Binary, error) {
	f, err := inspect.Open(reader, size, "fuzz")
	if err != nil {
		return nil, err
	}
	b, err := f.Binary(wanted)
	if err != nil {
		return nil, err
	}
	// An error of the debug information is an answer too.
	_, _, _ = f.FieldOffset(status, map[string]bool{"net/http.response": true})
	return b, nil
}

func inspectBytes(data []byte) (*model.Binary, error) {
	return inspectAll(bytes.NewReader(data), int64(len(data)))
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
