// Package tally has the counts of a program that makes or serves calls, in a file
// that outlives it: what it has counted is known even if it is killed.
package tally

import (
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Class is what kind of call is counted.
type Class int

// The classes.
const (
	HTTP1 Class = iota
	HTTP2
	Unary
	ServerStream
	ClientStream
	BidiStream
	Classes // how many there are
)

// Service is the gRPC service whose methods the classes of gRPC are.
const Service = "soak.Calls"

var names = [...]string{
	"http1", "http2", "Unary", "ServerStream", "ClientStream", "BidiStream",
}

// String is the name of the class: the first part of its paths, or its method.
func (c Class) String() string { return names[c] }

// ClassOf finds a class by its name.
func ClassOf(name string) (Class, bool) {
	c := slices.Index(names[:], name)
	return Class(c), c >= 0
}

// Counts are those of one class.
type Counts struct {
	Begun uint64 // before anything was done about the call
	Ended uint64 // whatever came of it
	OK    uint64 // those that ended as they should if nothing goes wrong
}

// Sums are the counts of all classes.
type Sums [Classes]Counts

const size = unsafe.Sizeof(Sums{})

// Tally counts. All of it is safe for concurrent use. The file has its sums, as they are in memory.
type Tally struct{ sums *Sums }

// Create makes the file and counts in it until the program ends.
func Create(path string) (*Tally, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() // the mapping stays
	if err := file.Truncate(int64(size)); err != nil {
		return nil, err
	}
	memory, err := unix.Mmap(int(file.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	return &Tally{(*Sums)(unsafe.Pointer(unsafe.SliceData(memory)))}, nil
}

// Begin counts a call that begins.
func (t *Tally) Begin(c Class) { atomic.AddUint64(&t.sums[c].Begun, 1) }

// End counts one that has ended.
func (t *Tally) End(c Class, ok bool) {
	if ok {
		atomic.AddUint64(&t.sums[c].OK, 1)
	}
	atomic.AddUint64(&t.sums[c].Ended, 1)
}
