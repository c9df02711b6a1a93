package nethttp

import (
	"encoding/binary"
	"fmt"
	"unsafe"
)

// request is one record, taken apart. Its texts share one copy of the record's.
type request struct {
	status                 uint16 // 0: the handler wrote nothing
	ending                 httpEnding
	protoMajor, protoMinor uint8
	tls                    bool

	tracestate, method, target, host, remote, userAgent, route text
}

// statusUnreadable is STATUS_UNREADABLE of request.h.
const statusUnreadable = 0xffff

// How many bytes are kept of each text: request.h.
const (
	methodLimit     = 32
	targetLimit     = 640
	hostLimit       = 128
	remoteLimit     = 64
	userAgentLimit  = 192
	tracestateLimit = 512
	routeLimit      = 192
)

// text is one string of a record.
type text struct {
	string
	cut bool // bytes are missing at its end
}

// The record's fixed part, as the compiler of the C side laid it out.
const (
	statusAt     = unsafe.Offsetof(httpServerSpan{}.Status)
	endingAt     = unsafe.Offsetof(httpServerSpan{}.Ending)
	protoMajorAt = unsafe.Offsetof(httpServerSpan{}.ProtoMajor)
	protoMinorAt = unsafe.Offsetof(httpServerSpan{}.ProtoMinor)
	joinedAt     = unsafe.Offsetof(httpServerSpan{}.Joined)
	tlsAt        = unsafe.Offsetof(httpServerSpan{}.Tls)
	methodAt     = unsafe.Offsetof(httpServerSpan{}.Method)
	targetAt     = unsafe.Offsetof(httpServerSpan{}.Target)
	hostAt       = unsafe.Offsetof(httpServerSpan{}.Host)
	remoteAt     = unsafe.Offsetof(httpServerSpan{}.Remote)
	userAgentAt  = unsafe.Offsetof(httpServerSpan{}.UserAgent)
	tracestateAt = unsafe.Offsetof(httpServerSpan{}.Tracestate)
	routeAt      = unsafe.Offsetof(httpServerSpan{}.Route)
	textsAt      = unsafe.Offsetof(httpServerSpan{}.Texts)

	lengthAt = unsafe.Offsetof(httpServerSpan{}.Method.Length)
	wholeAt  = unsafe.Offsetof(httpServerSpan{}.Method.Whole)
)

// parse takes a record apart. The texts lie one after the other in the order
// in which the programs copied them.
func parse(record []byte) (request, error) {
	if len(record) < int(textsAt) {
		return request{}, fmt.Errorf("record of %d bytes, %d expected at the least", len(record), textsAt)
	}
	r := request{
		status:     binary.LittleEndian.Uint16(record[statusAt:]),
		ending:     httpEnding(record[endingAt]),
		protoMajor: record[protoMajorAt],
		protoMinor: record[protoMinorAt],
		tls:        record[tlsAt] != 0,
	}
	rest := string(record[textsAt:])
	joined := record[joinedAt] != 0
	for _, part := range [...]struct {
		to *text
		at uintptr
	}{
		{&r.tracestate, tracestateAt},
		{&r.method, methodAt},
		{&r.target, targetAt},
		{&r.host, hostAt},
		{&r.remote, remoteAt},
		{&r.userAgent, userAgentAt},
		{&r.route, routeAt},
	} {
		length := int(binary.LittleEndian.Uint16(record[part.at+lengthAt:]))
		whole := int(binary.LittleEndian.Uint16(record[part.at+wholeAt:]))
		if length > len(rest) {
			return request{}, fmt.Errorf("text of %d bytes, %d are left of the record", length, len(rest))
		}
		*part.to = text{rest[:length], whole > length}
		rest = rest[length:]
		if part.to == &r.method && joined && len(rest) > 0 {
			rest = rest[1:]
		}
	}
	return r, nil
}
