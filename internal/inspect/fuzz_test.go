package inspect_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/spanprobe/spanprobe/internal/inspect"
	"github.com/spanprobe/spanprobe/internal/inspect/testbinary"
	"github.com/spanprobe/spanprobe/internal/model"
)

// memoryBound is what an inspection may allocate in all, whatever the file
// says, in bytes.
const memoryBound = 128 << 20

func FuzzInspect(f *testing.F) {
	whole := tinyExecutable()
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(whole[:65])
	for at := 0; at < len(whole); at += 61 {
		damaged := slices.Clone(whole)
		damaged[at] ^= 0xff
		f.Add(damaged)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b, err := inspectBytes(data)
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > memoryBound+16*uint64(len(data)) {
			t.Errorf("%d bytes were allocated for %d bytes of input", grown, len(data))
		}
		if (b == nil) == (err == nil) {
			t.Errorf("the answer is %v and %v", b, err)
		}
	})
}

func TestATinyExecutableIsUnderstood(t *testing.T) {
	b, err := inspectBytes(tinyExecutable())
	if err != nil {
		t.Fatal(err)
	}
	main := b.Functions["main.main"]
	if b.GoVersion != "1.26.8" || main.Address != tinyAddress || !bytes.Equal(main.Code, []byte{0x55, 0xc3}) {
		t.Errorf("Go %q, %+v", b.GoVersion, main)
	}
	f, err := inspect.Open(bytes.NewReader(tinyExecutable()), int64(len(tinyExecutable())), "tiny")
	if err != nil {
		t.Fatal(err)
	}
	offset, exists, err := f.FieldOffset(status, map[string]bool{"net/http.response": true})
	if offset != 0x78 || !exists || err != nil {
		t.Errorf("%s is at %d, %t, %v", status, offset, exists, err)
	}
}

func TestLyingHeadersTakeNoMemory(t *testing.T) {
	for name, data := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			b, err := inspectBytes(data)
			runtime.ReadMemStats(&after)
			if (b == nil) == (err == nil) {
				t.Errorf("the answer is %v and %v", b, err)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > memoryBound {
				t.Errorf("%d bytes were allocated", grown)
			}
		})
	}
}

func TestDamagedExecutablesAreErrorsOrAnswersNeverPanics(t *testing.T) {
	whole := hostile(t)["whole"]
	random := rand.New(rand.NewPCG(1, 2))
	// The headers, the function table and moduledata are where damage tells.
	for range 60 {
		damaged := slices.Clone(whole)
		for range 1 + random.IntN(8) {
			at := random.IntN(len(damaged))
			if random.IntN(2) == 0 {
				at = random.IntN(4096)
			}
			damaged[at] = byte(random.Uint32())
		}
		if b, err := inspectBytes(damaged); (b == nil) == (err == nil) {
			t.Fatalf("the answer is %v and %v", b, err)
		}
	}
}

// hostile makes a whole executable and variants of it that lie.
func hostile(t testing.TB) map[string][]byte {
	t.Helper()
	whole, err := os.ReadFile(testbinary.Server(t, testbinary.Build{Go: "1.26.8", Arch: model.AMD64, Form: testbinary.Plain}))
	if err != nil {
		t.Fatal(err)
	}
	changed := func(change func([]byte)) []byte {
		c := slices.Clone(whole)
		change(c)
		return c
	}
	sections := binary.LittleEndian.Uint64(whole[40:])
	count := binary.LittleEndian.Uint16(whole[60:])
	magic := bytes.Index(whole, []byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8})
	return map[string][]byte{
		"whole": whole,
		"half":  whole[:len(whole)/2],
		"page":  whole[:4096],
		"every section has 2^62 bytes": changed(func(b []byte) {
			for i := range uint64(count) {
				binary.LittleEndian.PutUint64(b[sections+64*i+32:], 1<<62)
			}
		}),
		"every section begins near the end of all addresses": changed(func(b []byte) {
			for i := range uint64(count) {
				binary.LittleEndian.PutUint64(b[sections+64*i+24:], 1<<63-8)
			}
		}),
		"four million functions": changed(func(b []byte) { binary.LittleEndian.PutUint64(b[magic+8:], 4<<20) }),
		"all names are one":      changed(func(b []byte) { binary.LittleEndian.PutUint64(b[magic+32:], 0) }),
	}
}

var status = model.Field{Package: "net/http", Struct: "response", Field: "status"}

// inspectBytes does all that is ever done with an executable.
func inspectBytes(data []byte) (*model.Binary, error) {
	f, err := inspect.Open(bytes.NewReader(data), int64(len(data)), "fuzz")
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
