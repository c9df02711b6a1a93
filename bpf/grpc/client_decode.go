package grpc

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/record"
)

// call is one record of a client's, taken apart.
type call struct {
	peer   []byte
	code   uint32
	failed bool // with an error whose code is not known

	method, target, socket, failure text
}

const callTextsAt = unsafe.Offsetof(clientCallSpan{}.Texts)

func parseCall(raw []byte) (call, error) {
	var layout clientCallSpan
	var c call
	if len(raw) < int(callTextsAt) {
		return c, fmt.Errorf("record of %d bytes, %d expected at the least", len(raw), callTextsAt)
	}
	c.peer = raw[unsafe.Offsetof(layout.Peer):]
	c.code = binary.LittleEndian.Uint32(raw[unsafe.Offsetof(layout.Code):])
	c.failed = raw[unsafe.Offsetof(layout.Failed)] != 0
	return c, record.Texts(raw, callTextsAt, []record.Placed{
		{To: &c.method, At: unsafe.Offsetof(layout.Method)},
		{To: &c.target, At: unsafe.Offsetof(layout.Target)},
		{To: &c.socket, At: unsafe.Offsetof(layout.Socket)},
		{To: &c.failure, At: unsafe.Offsetof(layout.Error)},
	})
}

// decodeCall makes a CLIENT span of a record, by the conventions for gRPC:
// https://opentelemetry.io/docs/specs/semconv/rpc/grpc/
func decodeCall(raw []byte, span *model.Span, _ probe.DecodeOptions) error {
	c, err := parseCall(raw)
	if err != nil {
		return err
	}
	span.Kind = model.KindClient
	a := record.Attributes(span.Attributes)
	span.Name = addMethod(&a, c.method, true)
	if known(c.code) {
		a.Add(semconv.RPCResponseStatusCodeKey, statusName(c.code))
	}
	if failure := callFailure(&c); failure != "" {
		span.Status = model.StatusError
		a.Add(semconv.ErrorTypeKey, failure)
	}
	if !c.target.Cut {
		a.AddServer(serverOf(c.target.Valid(targetLimit)))
	}
	a.AddPeer(c.peer, c.socket)
	span.Attributes = a
	return nil
}

// callFailure is the error.type of a call that failed, or "": its status, or else
// the type of the error.
func callFailure(c *call) string {
	switch {
	case c.failed && c.failure.Raw == "":
		return "_OTHER"
	case c.failed:
		return c.failure.Valid(errorLimit)
	case known(c.code) && c.code != codeOK:
		return statusName(c.code)
	}
	return ""
}
