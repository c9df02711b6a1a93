package grpc

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unsafe"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/record"
)

// How many bytes are kept of each text, of a stream and of a call.
const (
	methodLimit    = int(serverTextLimitMETHOD_LIMIT)
	authorityLimit = int(serverTextLimitAUTHORITY_LIMIT)
	userAgentLimit = int(serverTextLimitUSER_AGENT_LIMIT)
	targetLimit    = int(clientTextLimitTARGET_LIMIT)
	errorLimit     = int(clientTextLimitERROR_LIMIT)
)

type text = record.Text

// stream is one record of a server's, taken apart.
type stream struct {
	peer []byte
	code uint32

	tracestate, method, authority, remote, socket, userAgent text
}

const streamTextsAt = unsafe.Offsetof(serverStreamSpan{}.Texts)

func parseStream(raw []byte) (stream, error) {
	var layout serverStreamSpan
	var s stream
	if len(raw) < int(streamTextsAt) {
		return s, fmt.Errorf(
			"record of %d bytes, %d expected at the least", len(raw), streamTextsAt,
		)
	}
	s.peer = raw[unsafe.Offsetof(layout.Peer):]
	s.code = binary.LittleEndian.Uint32(raw[unsafe.Offsetof(layout.Code):])
	return s, record.Texts(raw, streamTextsAt, []record.Placed{
		{To: &s.tracestate, At: unsafe.Offsetof(layout.Tracestate)},
		{To: &s.method, At: unsafe.Offsetof(layout.Method)},
		{To: &s.authority, At: unsafe.Offsetof(layout.Authority)},
		{To: &s.remote, At: unsafe.Offsetof(layout.Remote)},
		{To: &s.socket, At: unsafe.Offsetof(layout.Socket)},
		{To: &s.userAgent, At: unsafe.Offsetof(layout.UserAgent)},
	})
}

// decodeStream makes a SERVER span of a record, by the conventions for gRPC:
// https://opentelemetry.io/docs/specs/semconv/rpc/grpc/
func decodeStream(raw []byte, span *model.Span, _ probe.DecodeOptions) error {
	s, err := parseStream(raw)
	if err != nil {
		return err
	}
	span.Kind = model.KindServer
	span.TraceState = s.tracestate.TraceState()
	a := record.Attributes(span.Attributes)
	span.Name = addMethod(&a, s.method, recognized(&s))
	if known(s.code) {
		a.Add(semconv.RPCResponseStatusCodeKey, statusName(s.code))
	}
	if known(s.code) && failsServer(s.code) {
		span.Status = model.StatusError
		a.Add(semconv.ErrorTypeKey, statusName(s.code))
	}
	if !s.authority.Cut {
		a.AddServer(record.SplitHostPort(s.authority.Valid(authorityLimit)))
	}
	addClient(&a, &s)
	a.Add(semconv.UserAgentOriginalKey, s.userAgent.Valid(userAgentLimit))
	span.Attributes = a
	return nil
}

// recognized tells whether the server has the method of a call, as far as its answer says so: a
// caller can make a method up. A server answers UNIMPLEMENTED to a method that it does not have. To
// a malformed one, gRPC 1.34 answers RESOURCE_EXHAUSTED, and 1.40 UNIMPLEMENTED (server.go,
// handleStream).
func recognized(s *stream) bool {
	return s.code != codeUnimplemented && wellFormed(s.method.Raw)
}

// wellFormed tells whether a method is "/package.Service/Method":
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. Releases before gRPC 1.81 take it
// without the first slash, too.
func wellFormed(method string) bool {
	service, name, ok := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	return ok && service != "" && name != "" && !strings.Contains(name, "/")
}

// addClient adds the caller. gRPC's own transport knows its address. Of a call that came through
// net/http there is a text.
func addClient(a *record.Attributes, s *stream) {
	before := len(*a)
	if address, port, ok := s.remote.SplitAddrPort(); ok {
		a.Add(semconv.NetworkPeerAddressKey, address)
		a.AddPort(semconv.NetworkPeerPortKey, port)
	} else {
		a.AddPeer(s.peer, s.socket)
	}
	for _, attribute := range (*a)[before:] {
		switch attribute.Key {
		case string(semconv.NetworkPeerAddressKey):
			a.Add(semconv.ClientAddressKey, attribute.Str)
		case string(semconv.NetworkPeerPortKey):
			a.AddPort(semconv.ClientPortKey, uint16(attribute.Int))
		}
	}
}
