package grpc

import (
	"slices"
	"unsafe"

	"github.com/spanprobe/spanprobe/bpf/golang"
	"github.com/spanprobe/spanprobe/bpf/nethttp"
	"github.com/spanprobe/spanprobe/internal/probe"
)

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package grpc -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type call_offsets -type call_span -type status_code -type text_limit client client.bpf.c -- -I../include -Wall -Werror -mcpu=v3

// ClientName is the name of Client.
const ClientName probe.Name = module + "/client"

// connClose is the first method of a net.Conn that holds another one with TLS, and begins with it:
// internal/credentials/syscallconn.go.
const connClose = module + "/internal/credentials.(*syscallConn).Close"

// Client traces the client of grpc, which sends its requests by the Framer of golang.org/x/net.
func Client() probe.Library {
	var o clientCallOffsets
	status := unsafe.Offsetof(o.Status)
	return probe.Library{
		Name:  ClientName,
		Role:  probe.RoleClient,
		Hooks: clientHooks(),
		Functions: slices.Concat([]probe.Function{
			{
				Symbol: module + ".(*clientStream).CloseSend",
				Slot:   unsafe.Offsetof(o.StreamCloseSend),
			},
			{
				Symbol: module + ".(*clientStreamWrapper).CloseSend",
				Slot:   unsafe.Offsetof(o.WrapperCloseSend),
			},
			{
				Symbol: module + transport + ".(*http2Client).Close",
				Slot:   unsafe.Offsetof(o.Http2Close),
			},
			{
				Symbol: module + "/internal/status.(*Error).Error",
				Slot:   status + unsafe.Offsetof(o.Status.StatusError),
			},
			{
				Symbol: "errors.(*errorString).Error",
				Slot:   status + unsafe.Offsetof(o.Status.ErrorString),
			},
			{
				Symbol: "fmt.(*wrapError).Error",
				Slot:   status + unsafe.Offsetof(o.Status.WrapError),
			},
		},
			golang.ConnFunctions(unsafe.Offsetof(o.Conn), connClose),
			golang.ParentFunctions(unsafe.Offsetof(o.Parent), nethttp.GoHandler),
			golang.ContextFunctions(unsafe.Offsetof(o.Context))),
		Types: []probe.Type{
			metadataType("mdOutgoingKey", unsafe.Offsetof(o.OutgoingKey)),
		},
		Fields: clientFields(),
		Marks:  marks(),
		Rules:  rules(),
		Extensions: []probe.Extension{nethttp.InjectedIntoFrames(nethttp.Buffer{
			Bytes:   field(transport, "bufWriter", "buf", 0).Field,
			Pointer: field(transport, "bufWriter", "bufHandle", 0).Field, // from grpc 1.84 on
			Used:    field(transport, "bufWriter", "offset", 0).Field,
		})},
		OffsetsSize: unsafe.Sizeof(o),
		Load:        loadClient,
		Decode:      decodeCall,
		Attributes:  clientAttributes,
	}
}

func clientHooks() []probe.Hook {
	var o clientCallOffsets
	const (
		newClientStream = module + ".newClientStream"
		newStream       = module + transport + ".(*http2Client).NewStream"
	)
	// The third closure gives the stream its id, but in grpc 1.40, which has one more before it,
	// and six in all.
	announces := func(symbol string, when probe.Condition) probe.Hook {
		return probe.Hook{
			Symbol: symbol, Event: probe.Enter, Program: "announce_call", Optional: true,
			When: []probe.Condition{when}, SiteSlot: unsafe.Offsetof(o.AnnounceSite),
		}
	}
	return []probe.Hook{
		{
			Symbol: newClientStream, Event: probe.Enter, Program: "start_call",
			SiteSlot: unsafe.Offsetof(o.Site),
		},
		{
			Symbol: newClientStream, Event: probe.Return, Program: "bind_call",
			Deferred: &probe.Deferred{
				Symbols: []string{newClientStream + ".func1", newClientStream + ".func2"},
				Program: "bind_deferring_call", Results: 4, Slot: unsafe.Offsetof(o.Deferring),
			},
		},
		announces(newStream+".func3", probe.Lacks(newStream+".func6")),
		announces(newStream+".func4", probe.Has{newStream + ".func6"}),
		{
			Symbol: module + ".(*clientStream).finish", Event: probe.Enter, Program: "end_call",
		},
	}
}

func clientFields() []probe.Field {
	var o clientCallOffsets
	status := unsafe.Offsetof(o.Status)
	fields := []probe.Field{
		golang.Field("runtime", "g", "goid", unsafe.Offsetof(o.G_goid)),
		golang.Field("runtime", "g", "stack", unsafe.Offsetof(o.G_stack)),
		golang.Field("runtime", "stack", "hi", unsafe.Offsetof(o.StackHi)),
		field("", "ClientConn", "target", unsafe.Offsetof(o.ConnTarget)),
		field("", "clientStream", "attempt", unsafe.Offsetof(o.StreamAttempt)),
		// The field has had two names.
		optional("", "csAttempt", "t", unsafe.Offsetof(o.AttemptTransport)),
		optional("", "csAttempt", "transport", unsafe.Offsetof(o.AttemptTransport)),
		optional(transport, "http2Client", "remoteAddr", unsafe.Offsetof(o.RemoteAddr)),
		optional(transport, "http2Client", "conn", unsafe.Offsetof(o.TransportConn)),
		optional(transport, "http2Client", "nextID", unsafe.Offsetof(o.TransportNextId)),
		optional(transport, "http2Client", "framer", unsafe.Offsetof(o.TransportFramer)),
		optional(transport, "framer", "fr", unsafe.Offsetof(o.FramerFr)),
		// grpc 1.69 to 1.76, and from 1.77 on; before, there is no ClientStream.
		optional(transport, "ClientStream", "*Stream", unsafe.Offsetof(o.StreamPointer)),
		optional(transport, "ClientStream", "Stream", unsafe.Offsetof(o.StreamInside)),
		optional(transport, "Stream", "ctx", unsafe.Offsetof(o.StreamContext)),
		optional("/metadata", "rawMD", "md", unsafe.Offsetof(o.RawMd)),
		optional("/metadata", "rawMD", "added", unsafe.Offsetof(o.RawAdded)),
		optional("", "clientStreamWrapper", "ClientStream", unsafe.Offsetof(o.WrapperStream)),
		optional("/internal/status", "Error", "s", status+unsafe.Offsetof(o.Status.ErrorStatus)),
		optional("/internal/status", "Error", "e", status+unsafe.Offsetof(o.Status.ErrorMessage)),
		golang.Optional("fmt", "wrapError", "err", status+unsafe.Offsetof(o.Status.Wrapped)),
	}
	fields = append(fields, statusFields(status)...)
	fields = append(fields, golang.TypeFields(unsafe.Offsetof(o.Type))...)
	fields = append(fields, golang.ParentFields(unsafe.Offsetof(o.Parent))...)
	fields = append(fields, golang.ContextFields(unsafe.Offsetof(o.Context))...)
	fields = append(fields, golang.MapFields(unsafe.Offsetof(o.Map))...)
	return append(fields, golang.ConnFields(unsafe.Offsetof(o.Conn))...)
}
