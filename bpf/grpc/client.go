package grpc

import (
	"slices"
	"unsafe"

	"github.com/spanprobe/spanprobe/bpf/golang"
	"github.com/spanprobe/spanprobe/internal/probe"
)

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package grpc -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type call_offsets -type call_span client client.bpf.c -- -I../include -Wall -Werror -mcpu=v3

// Client traces the client of grpc.
func Client() probe.Library {
	var o clientCallOffsets
	const status = module + "/internal/status"
	statusAt := unsafe.Offsetof(o.Status)
	functions := []probe.Function{
		{Symbol: module + ".(*clientStream).CloseSend", Slot: unsafe.Offsetof(o.StreamCloseSend)},
		{Symbol: module + ".(*clientStreamWrapper).CloseSend", Slot: unsafe.Offsetof(o.WrapperCloseSend)},
		{Symbol: module + "/internal/transport.(*http2Client).Close", Slot: unsafe.Offsetof(o.Http2Close)},
		{Symbol: status + ".(*Error).Error", Slot: statusAt + unsafe.Offsetof(o.Status.StatusError)},
		{Symbol: "errors.(*errorString).Error", Slot: statusAt + unsafe.Offsetof(o.Status.ErrorString)},
		{Symbol: "fmt.(*wrapError).Error", Slot: statusAt + unsafe.Offsetof(o.Status.WrapError)},
	}
	const newStream = module + "/internal/transport.(*http2Client).NewStream"
	return probe.Library{
		Name: module + "/client",
		Hooks: []probe.Hook{
			{Symbol: module + ".newClientStream", Event: probe.Enter, Program: "start_call", SiteSlot: unsafe.Offsetof(o.Site)},
			{Symbol: module + ".newClientStream", Event: probe.Return, Program: "bind_call", Deferred: &probe.Deferred{
				Symbols: []string{module + ".newClientStream.func1", module + ".newClientStream.func2"}, Program: "bind_deferring_call", Results: 4, Slot: unsafe.Offsetof(o.Deferring),
			}},
			// The third closure gives the stream its id, but in grpc 1.40, which
			// has one more before it, and six in all.
			{Symbol: newStream + ".func3", Event: probe.Enter, Program: "announce_call", Optional: true, Without: newStream + ".func6", SiteSlot: unsafe.Offsetof(o.AnnounceSite)},
			{Symbol: newStream + ".func4", Event: probe.Enter, Program: "announce_call", Optional: true, With: []string{newStream + ".func6"}, SiteSlot: unsafe.Offsetof(o.AnnounceSite)},
			{Symbol: module + ".(*clientStream).finish", Event: probe.Enter, Program: "end_call"},
		},
		Functions: slices.Concat(functions, golang.ConnFunctions(unsafe.Offsetof(o.Conn)),
			golang.ParentFunctions(unsafe.Offsetof(o.Parent)), golang.ContextFunctions(unsafe.Offsetof(o.Context))),
		Types: []probe.Type{
			{Name: "metadata.mdOutgoingKey", Slot: unsafe.Offsetof(o.OutgoingKey)},
		},
		Fields:      clientFields(),
		Marks:       marks(),
		OffsetsSize: unsafe.Sizeof(o),
		Load:        loadClient,
		Decode:      decodeCall,
	}
}

func clientFields() []probe.Field {
	var o clientCallOffsets
	fields := []probe.Field{
		golang.Field("runtime", "g", "goid", unsafe.Offsetof(o.G_goid)),
		golang.Field("runtime", "g", "stack", unsafe.Offsetof(o.G_stack)),
		golang.Field("runtime", "stack", "hi", unsafe.Offsetof(o.StackHi)),
		field("", "ClientConn", "target", unsafe.Offsetof(o.ConnTarget)),
		field("", "clientStream", "attempt", unsafe.Offsetof(o.StreamAttempt)),
		// The field has had two names.
		optional("", "csAttempt", "t", unsafe.Offsetof(o.AttemptTransport)),
		optional("", "csAttempt", "transport", unsafe.Offsetof(o.AttemptTransport)),
		optional("/internal/transport", "http2Client", "remoteAddr", unsafe.Offsetof(o.RemoteAddr)),
		optional("/internal/transport", "http2Client", "conn", unsafe.Offsetof(o.TransportConn)),
		optional("/internal/transport", "http2Client", "nextID", unsafe.Offsetof(o.TransportNextId)),
		optional("/internal/transport", "http2Client", "framer", unsafe.Offsetof(o.TransportFramer)),
		optional("/internal/transport", "framer", "fr", unsafe.Offsetof(o.FramerFr)),
		// grpc 1.69 to 1.76, and from 1.77 on; before, there is no ClientStream.
		optional("/internal/transport", "ClientStream", "*Stream", unsafe.Offsetof(o.StreamPointer)),
		optional("/internal/transport", "ClientStream", "Stream", unsafe.Offsetof(o.StreamInside)),
		optional("/internal/transport", "Stream", "ctx", unsafe.Offsetof(o.StreamContext)),
		optional("/metadata", "rawMD", "md", unsafe.Offsetof(o.RawMd)),
		optional("/metadata", "rawMD", "added", unsafe.Offsetof(o.RawAdded)),
		optional("", "clientStreamWrapper", "ClientStream", unsafe.Offsetof(o.WrapperStream)),
		optional("/internal/status", "Error", "s", unsafe.Offsetof(o.Status)+unsafe.Offsetof(o.Status.ErrorStatus)),
		optional("/internal/status", "Error", "e", unsafe.Offsetof(o.Status)+unsafe.Offsetof(o.Status.ErrorMessage)),
		golang.Optional("fmt", "wrapError", "err", unsafe.Offsetof(o.Status)+unsafe.Offsetof(o.Status.Wrapped)),
	}
	fields = append(fields, statusFields(unsafe.Offsetof(o.Status))...)
	fields = append(fields, golang.TypeFields(unsafe.Offsetof(o.Type))...)
	fields = append(fields, golang.ParentFields(unsafe.Offsetof(o.Parent))...)
	fields = append(fields, golang.ContextFields(unsafe.Offsetof(o.Context))...)
	fields = append(fields, golang.MapFields(unsafe.Offsetof(o.Map))...)
	return append(fields, golang.ConnFields(unsafe.Offsetof(o.Conn))...)
}
