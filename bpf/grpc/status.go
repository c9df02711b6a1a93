package grpc

import (
	"strconv"
	"unsafe"

	"github.com/spanprobe/spanprobe/bpf/golang"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// statusFields lists what the code of a status needs, for a struct status_offsets
// at base.
func statusFields(base uintptr) []probe.Field {
	var o clientCallOffsets
	code := func(module string) probe.Field {
		f := golang.FieldOf(module, packageProto, "Status", "Code",
			base+unsafe.Offsetof(o.Status.Code))
		f.Optional = true
		return f
	}
	return []probe.Field{
		field("/internal/status", "Status", "s", base+unsafe.Offsetof(o.Status.Proto)),
		code(moduleProto),
		code(moduleProtoOnce),
	}
}

// statusNames are the names of the codes, as the conventions have them:
// https://github.com/grpc/grpc/blob/master/doc/statuscodes.md
var statusNames = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
	"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
	"OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

const (
	codeOK            = uint32(serverStatusCodeCODE_OK)
	codeUnimplemented = uint32(12)
	// codeUnknown is the lowest of the values that stand in place of a code.
	codeUnknown = uint32(
		min(
			serverStatusCodeCODE_UNKNOWN, serverStatusCodeCODE_UNREADABLE,
			serverStatusCodeCODE_NONE,
		),
	)
)

// known tells whether a record has the code of a call.
func known(code uint32) bool { return code < codeUnknown }

// statusName is the rpc.response.status_code of a code: a program may use others
// than those that have names.
func statusName(code uint32) string {
	if int64(code) < int64(len(statusNames)) {
		return statusNames[code]
	}
	return strconv.Itoa(int(int32(code)))
}

// failsServer tells whether a code means that the server failed, and not its
// caller: https://opentelemetry.io/docs/specs/semconv/rpc/grpc/
func failsServer(code uint32) bool {
	switch statusName(code) {
	case "UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS":
		return true
	}
	return false
}
