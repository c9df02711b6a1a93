package wire

import (
	"fmt"
	"unsafe"
)

type (
	// SpanHead is how every record in the ring buffer "spans" begins, and every entry of a map of
	// operations in flight.
	SpanHead = wireSpanHead
	// Event is a record in the ring buffer "events".
	Event = wireEvent
	// EventKind is the kind of an Event.
	EventKind = wireEventKind
	// Text says how much of a string lies behind a record.
	Text = wireText
	// Peer is who is at the other end of a connection.
	Peer = wirePeer
)

// The kinds of events.
const (
	EventExec   = wireEventKindEVENT_EXEC
	EventExit   = wireEventKindEVENT_EXIT
	EventListen = wireEventKindEVENT_LISTEN
)

// The bits of SpanHead.Context.
const (
	ContextRemoteParent = uint8(wireContextBitCONTEXT_REMOTE_PARENT)
	ContextMissesHooks  = uint8(wireContextBitCONTEXT_MISSES_HOOKS)
)

// The kinds of peers.
const (
	PeerIPv4 = uint8(wirePeerKindPEER_IPV4)
	PeerIPv6 = uint8(wirePeerKindPEER_IPV6)
	PeerUnix = uint8(wirePeerKindPEER_UNIX)
)

// HeadSize is the size of a SpanHead, in bytes.
const HeadSize = int(unsafe.Sizeof(SpanHead{}))

// ParseHead reads the head of a span's record, or of an operation in flight.
func ParseHead(record []byte) (SpanHead, error) {
	head, ok := parse[SpanHead](record)
	if !ok {
		return head, fmt.Errorf("record of %d bytes, a head has %d", len(record), HeadSize)
	}
	return head, nil
}

// Sampled tells whether a span is sent when the operation finishes.
func (h *SpanHead) Sampled() bool { return h.Flags&uint8(wireTraceFlagFLAG_SAMPLED) != 0 }

// RemoteParent tells whether the id of the parent came over the wire.
func (h *SpanHead) RemoteParent() bool { return h.Context&ContextRemoteParent != 0 }

// MissesHooks tells whether hooks on demand would have told more.
func (h *SpanHead) MissesHooks() bool { return h.Context&ContextMissesHooks != 0 }

// ParseEvent reads a record of the ring buffer "events".
func ParseEvent(record []byte) (Event, error) {
	event, ok := parse[Event](record)
	if !ok {
		return event, fmt.Errorf(
			"event of %d bytes, %d expected", len(record), unsafe.Sizeof(event),
		)
	}
	return event, nil
}

// ParseText reads what a record says of a string behind it. ok is false for bytes that are too few.
func ParseText(record []byte) (text Text, ok bool) { return parse[Text](record) }

// ParsePeer reads who is at the other end. ok is false for bytes that are too few.
func ParsePeer(record []byte) (peer Peer, ok bool) { return parse[Peer](record) }

// parse copies a struct out of bytes that the kernel has laid out, in this machine's own order.
// The result is false where the bytes are too few.
func parse[T any](from []byte) (value T, ok bool) {
	to := unsafe.Slice((*byte)(unsafe.Pointer(&value)), unsafe.Sizeof(value))
	if len(from) < len(to) {
		return value, false
	}
	copy(to, from)
	return value, true
}
