// Package assemble makes spans of records.
package assemble

import (
	"errors"
	"fmt"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/sampling"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// Assembler turns records into spans. It is not safe for concurrent use.
type Assembler struct {
	libraries []probe.Library
	options   probe.DecodeOptions
	sampler   sampling.Sampler
	span      model.Span // the last one: its memory is used again
}

// New makes an assembler. Records name a library by its index in libraries. The programs that send
// them have the same sampler.
func New(
	libraries []probe.Library, options probe.DecodeOptions, sampler sampling.Sampler,
) *Assembler {
	return &Assembler{libraries: libraries, options: options, sampler: sampler}
}

var errBackwards = errors.New("record ends before it starts")

// Span makes the span of one record, which is valid until the next call.
// wallOffset is the wall clock minus CLOCK_BOOTTIME, in nanoseconds.
func (a *Assembler) Span(record []byte, wallOffset int64) (*model.Span, error) {
	head, err := wire.ParseHead(record)
	if err != nil {
		return nil, err
	}
	if head.End < head.Start {
		return nil, errBackwards
	}
	index := int(head.Library)
	if index >= len(a.libraries) {
		return nil, fmt.Errorf("record of library %d, there are %d", index, len(a.libraries))
	}
	library := &a.libraries[index]
	span := &a.span
	*span = model.Span{
		PID:          head.Tgid,
		Generation:   head.Generation,
		Library:      string(library.Name),
		TraceID:      head.TraceId,
		SpanID:       head.SpanId,
		ParentID:     head.ParentId,
		Flags:        head.Flags,
		RemoteParent: head.RemoteParent(),
		Start:        uint64(int64(head.Start) + wallOffset),
		End:          uint64(int64(head.End) + wallOffset),
		MissesHooks:  head.MissesHooks(),
		Attributes:   span.Attributes[:0],
	}
	if err := library.Decode(record, span, a.options); err != nil {
		return nil, fmt.Errorf("record of %s: %w", library.Name, err)
	}
	if a.sampler.Decides(span.ParentID == [8]byte{}, span.RemoteParent) {
		span.TraceState = a.sampler.TraceState(span.TraceID, span.TraceState)
	}
	return span, nil
}
