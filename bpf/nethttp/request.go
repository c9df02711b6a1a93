package nethttp

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/spanprobe/spanprobe/internal/record"
)

// request is one record, taken apart. Its texts share one copy of the record's.
type request struct {
	status                 uint16 // 0: the handler wrote nothing
	ending                 serverEnding
	protoMajor, protoMinor uint8
	tls                    bool

	tracestate, method, target, host, remote, userAgent, route text
}

// statusUnreadable stands for a status that could not be read.
const statusUnreadable = uint16(serverResponseStatusSTATUS_UNREADABLE)

// How many bytes are kept of each text.
const (
	methodLimit    = int(serverTextLimitMETHOD_LIMIT)
	targetLimit    = int(serverTextLimitTARGET_LIMIT)
	hostLimit      = int(serverTextLimitHOST_LIMIT)
	remoteLimit    = int(serverTextLimitREMOTE_LIMIT)
	userAgentLimit = int(serverTextLimitUSER_AGENT_LIMIT)
	routeLimit     = int(serverTextLimitROUTE_LIMIT)
)

type text = record.Text

// The record's fixed part, as the compiler of the C side laid it out.
const (
	statusAt     = unsafe.Offsetof(serverServerSpan{}.Status)
	endingAt     = unsafe.Offsetof(serverServerSpan{}.Ending)
	protoMajorAt = unsafe.Offsetof(serverServerSpan{}.ProtoMajor)
	protoMinorAt = unsafe.Offsetof(serverServerSpan{}.ProtoMinor)
	joinedAt     = unsafe.Offsetof(serverServerSpan{}.Joined)
	tlsAt        = unsafe.Offsetof(serverServerSpan{}.Tls)
	methodAt     = unsafe.Offsetof(serverServerSpan{}.Method)
	targetAt     = unsafe.Offsetof(serverServerSpan{}.Target)
	hostAt       = unsafe.Offsetof(serverServerSpan{}.Host)
	remoteAt     = unsafe.Offsetof(serverServerSpan{}.Remote)
	userAgentAt  = unsafe.Offsetof(serverServerSpan{}.UserAgent)
	tracestateAt = unsafe.Offsetof(serverServerSpan{}.Tracestate)
	routeAt      = unsafe.Offsetof(serverServerSpan{}.Route)
	textsAt      = unsafe.Offsetof(serverServerSpan{}.Texts)
)

// parse takes a record apart, in the order in which the programs copied its texts.
func parse(raw []byte) (request, error) {
	var r request
	if len(raw) < int(textsAt) {
		return r, fmt.Errorf("record of %d bytes, %d expected at the least", len(raw), textsAt)
	}
	r.status = binary.LittleEndian.Uint16(raw[statusAt:])
	r.ending = serverEnding(raw[endingAt])
	r.protoMajor, r.protoMinor = raw[protoMajorAt], raw[protoMinorAt]
	r.tls = raw[tlsAt] != 0
	gap := 0
	if raw[joinedAt] != 0 {
		gap = 1 // of the request line, with the byte between the two
	}
	return r, record.Texts(raw, textsAt, []record.Placed{
		{To: &r.tracestate, At: tracestateAt},
		{To: &r.method, At: methodAt, Gap: gap},
		{To: &r.target, At: targetAt},
		{To: &r.host, At: hostAt},
		{To: &r.remote, At: remoteAt},
		{To: &r.userAgent, At: userAgentAt},
		{To: &r.route, At: routeAt},
	})
}
