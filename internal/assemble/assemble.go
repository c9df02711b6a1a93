// Package assemble makes spans of records.
package assemble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"github.com/spanprobe/spanprobe/bpf/process"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/sampling"
)

// Assembler turns records into spans. It is not safe for concurrent use.
type Assembler struct {
	libraries []probe.Library
	query     model.QueryMode
	sampler   sampling.Sampler
	span      model.Span // the last one: its memory is used again
}

// New makes an assembler. Records name a library by its index in libraries; the
// sampler is that of the programs that send them.
func New(libraries []probe.Library, query model.QueryMode, sampler sampling.Sampler) *Assembler {
	return &Assembler{libraries: libraries, query: query, sampler: sampler}
}

const headSize = int(unsafe.Sizeof(process.SpanHead{}))

var errBackwards = errors.New("record ends before it starts")

// Span makes the span of one record, which is valid until the next call.
// wallOffset is what to add to CLOCK_BOOTTIME, in nanoseconds, to get the time
// since the epoch.
func (a *Assembler) Span(record []byte, wallOffset int64) (*model.Span, error) {
	if len(record) < headSize {
		return nil, fmt.Errorf("record of %d bytes, a head has %d", len(record), headSize)
	}
	var head process.SpanHead
	start := binary.LittleEndian.Uint64(record[unsafe.Offsetof(head.Start):])
	end := binary.LittleEndian.Uint64(record[unsafe.Offsetof(head.End):])
	if end < start {
		return nil, errBackwards
	}
	index := int(binary.LittleEndian.Uint16(record[unsafe.Offsetof(head.Library):]))
	if index >= len(a.libraries) {
		return nil, fmt.Errorf("record of library %d, there are %d", index, len(a.libraries))
	}
	library := &a.libraries[index]
	span := &a.span
	*span = model.Span{
		PID:          binary.LittleEndian.Uint32(record[unsafe.Offsetof(head.Tgid):]),
		Generation:   binary.LittleEndian.Uint32(record[unsafe.Offsetof(head.Generation):]),
		Library:      string(library.Name),
		TraceID:      [16]byte(record[unsafe.Offsetof(head.TraceId):]),
		SpanID:       [8]byte(record[unsafe.Offsetof(head.SpanId):]),
		ParentID:     [8]byte(record[unsafe.Offsetof(head.ParentId):]),
		Flags:        record[unsafe.Offsetof(head.Flags)],
		RemoteParent: record[unsafe.Offsetof(head.Context)]&process.ContextRemoteParent != 0,
		Start:        uint64(int64(start) + wallOffset),
		End:          uint64(int64(end) + wallOffset),
		MissesHooks:  record[unsafe.Offsetof(head.Context)]&process.ContextMissesHooks != 0,
		Attributes:   span.Attributes[:0],
	}
	if err := library.Decode(record, span); err != nil {
		return nil, fmt.Errorf("record of %s: %w", library.Name, err)
	}
	redactQuery(span, a.query)
	if a.sampler.Decides(span.ParentID == [8]byte{}, span.RemoteParent) {
		span.TraceState = a.sampler.TraceState(span.TraceID, span.TraceState)
	}
	return span, nil
}

// Process says which process a record is of, without decoding it. ok is false
// for what is too short to be a record.
func Process(record []byte) (pid, generation uint32, ok bool) {
	if len(record) < headSize {
		return 0, 0, false
	}
	var head process.SpanHead
	return binary.LittleEndian.Uint32(record[unsafe.Offsetof(head.Tgid):]),
		binary.LittleEndian.Uint32(record[unsafe.Offsetof(head.Generation):]), true
}
