package grpc

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// laidOut lays out a record as the programs do: the fixed part, whose first struct
// text lies at `first`, and the texts.
func laidOut(size, first uintptr, change func(fixed []byte), texts ...string) []byte {
	fixed := make([]byte, size)
	for _, s := range texts {
		binary.LittleEndian.PutUint16(fixed[first:], uint16(len(s)))
		binary.LittleEndian.PutUint16(fixed[first+2:], uint16(len(s)))
		first += unsafe.Sizeof(wire.Text{})
	}
	change(fixed)
	return append(fixed, strings.Join(texts, "")...)
}

// putPeer fills in a struct peer.
func putPeer(at []byte, kind uint8, port uint16, address ...byte) {
	var peer wire.Peer
	copy(at, address)
	binary.LittleEndian.PutUint16(at[unsafe.Offsetof(peer.Port):], port)
	at[unsafe.Offsetof(peer.Kind)] = kind
}

func TestACallAndAStreamAreDecodedByTheSameLimits(t *testing.T) {
	if serverTextLimitMETHOD_LIMIT != serverTextLimit(clientTextLimitMETHOD_LIMIT) ||
		codeUnknown != uint32(clientStatusCodeCODE_UNKNOWN) {
		t.Error("the limits of a call are not those of a stream")
	}
}

func TestARecordOfAStreamBecomesASpan(t *testing.T) {
	var layout serverStreamSpan
	laid := func(code uint32, kind uint8, texts ...string) []byte {
		return laidOut(streamTextsAt, unsafe.Offsetof(layout.Tracestate), func(fixed []byte) {
			binary.LittleEndian.PutUint32(fixed[unsafe.Offsetof(layout.Code):], code)
			if kind != 0 {
				putPeer(fixed[unsafe.Offsetof(layout.Peer):], kind, 4711, 192, 0, 2, 7)
			}
		}, texts...)
	}
	called := []model.Attribute{
		model.String("rpc.system.name", "grpc"),
		model.String("rpc.method", "shop.Cart/Add"),
	}
	for name, c := range map[string]struct {
		record     []byte
		status     model.StatusCode
		attributes []model.Attribute
	}{
		"over TCP": {laid(0, wire.PeerIPv4, "", "/shop.Cart/Add", "shop.example:8080", "", "", "grpc-go/1.85.0"), model.StatusUnset, []model.Attribute{
			model.String("rpc.response.status_code", "OK"),
			model.String("server.address", "shop.example"), model.Int("server.port", 8080),
			model.String("network.peer.address", "192.0.2.7"), model.Int("network.peer.port", 4711),
			model.String("client.address", "192.0.2.7"), model.Int("client.port", 4711),
			model.String("user_agent.original", "grpc-go/1.85.0"),
		}},
		"through net/http": {laid(13, 0, "", "/shop.Cart/Add", "[::1]", "[::1]:80"), model.StatusError, []model.Attribute{
			model.String("rpc.response.status_code", "INTERNAL"), model.String("error.type", "INTERNAL"),
			model.String("server.address", "::1"),
			model.String("network.peer.address", "::1"), model.Int("network.peer.port", 80),
			model.String("client.address", "::1"), model.Int("client.port", 80),
		}},
		"over a unix socket, refused for its argument": {laid(3, wire.PeerUnix, "", "/shop.Cart/Add", "", "", "/run/shop"), model.StatusUnset, []model.Attribute{
			model.String("rpc.response.status_code", "INVALID_ARGUMENT"),
			model.String("network.transport", "unix"), model.String("network.peer.address", "/run/shop"),
			model.String("client.address", "/run/shop"),
		}},
		"of a method that it may not have": {laid(codeUnimplemented, 0, "", "/no/such/Method"), model.StatusError, []model.Attribute{
			model.String("rpc.response.status_code", "UNIMPLEMENTED"), model.String("error.type", "UNIMPLEMENTED"),
		}},
		"with a code of its own":    {laid(99, 0, "", "/shop.Cart/Add"), model.StatusUnset, []model.Attribute{model.String("rpc.response.status_code", "99")}},
		"whose status was not read": {laid(codeUnknown, 0, "", "/shop.Cart/Add"), model.StatusUnset, nil},
	} {
		var got model.Span
		if err := decodeStream(
			c.record, &got, probe.DecodeOptions{Query: model.QueryKeep},
		); err != nil {
			t.Fatal(err)
		}
		want := model.Span{
			Kind:       model.KindServer,
			Name:       "shop.Cart/Add",
			Status:     c.status,
			Attributes: append(called[:2:2], c.attributes...),
		}
		if name == "of a method that it may not have" {
			want.Name = "grpc"
			want.Attributes = append([]model.Attribute{
				called[0],
				model.String("rpc.method", "_OTHER"),
				model.String("rpc.method_original", "no/such/Method"),
			}, c.attributes...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestARecordOfACallBecomesASpan(t *testing.T) {
	var layout clientCallSpan
	laid := func(code uint32, failed byte, texts ...string) []byte {
		return laidOut(callTextsAt, unsafe.Offsetof(layout.Method), func(fixed []byte) {
			binary.LittleEndian.PutUint32(fixed[unsafe.Offsetof(layout.Code):], code)
			fixed[unsafe.Offsetof(layout.Failed)] = failed
		}, texts...)
	}
	const target, method = "dns:///shop.example", "/shop.Cart/Add"
	at := []model.Attribute{
		model.String("server.address", "shop.example"),
		model.Int("server.port", 443),
	}
	for name, c := range map[string]struct {
		record     []byte
		status     model.StatusCode
		attributes []model.Attribute
	}{
		"answered": {laid(0, 0, method, target), model.StatusUnset, []model.Attribute{model.String("rpc.response.status_code", "OK")}},
		"not found": {laid(5, 0, method, target), model.StatusError, []model.Attribute{
			model.String("rpc.response.status_code", "NOT_FOUND"), model.String("error.type", "NOT_FOUND"),
		}},
		"failed without a status": {laid(codeUnknown, 1, method, target, "", "*net.OpError"), model.StatusError, []model.Attribute{
			model.String("error.type", "*net.OpError"),
		}},
		"failed for a reason that was not read": {laid(codeUnknown, 1, method, target), model.StatusError, []model.Attribute{
			model.String("error.type", "_OTHER"),
		}},
	} {
		var got model.Span
		if err := decodeCall(
			c.record, &got, probe.DecodeOptions{Query: model.QueryKeep},
		); err != nil {
			t.Fatal(err)
		}
		want := model.Span{
			Kind:   model.KindClient,
			Name:   "shop.Cart/Add",
			Status: c.status,
			Attributes: []model.Attribute{
				model.String("rpc.system.name", "grpc"),
				model.String("rpc.method", "shop.Cart/Add"),
			},
		}
		want.Attributes = append(append(want.Attributes, c.attributes...), at...)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTheServerIsWhatTheTargetNames(t *testing.T) {
	for target, want := range map[string]struct {
		address string
		port    uint16
	}{
		"shop.example:50051":                      {"shop.example", 50051},
		"shop.example":                            {"shop.example", 0},
		"[2001:db8::1]:80":                        {"2001:db8::1", 80},
		"dns:shop.example":                        {"shop.example", 443},
		"dns:///shop.example:80":                  {"shop.example", 80},
		"dns://192.0.2.53/shop.example":           {"shop.example", 443},
		"passthrough:///192.0.2.1:80":             {"192.0.2.1", 80},
		"passthrough:///unix:///run/shop":         {"/run/shop", 0},
		"unix:///run/shop":                        {"/run/shop", 0},
		"unix:shop":                               {"shop", 0},
		"unix-abstract:shop":                      {"@shop", 0},
		"consul://agent/shop":                     {"shop", 0},
		"xds:///shop.example:80":                  {"shop.example", 80},
		"":                                        {"", 0},
		":50051":                                  {"", 50051},
		"dns:///":                                 {"", 443},
		"[::1":                                    {"", 0},
		"[::1]":                                   {"::1", 0},
		"shop.example:http":                       {"", 0}, // or the endpoint "http" of a resolver
		"myscheme:cart":                           {"", 0},
		"consul://agent/shop?token=secret":        {"shop", 0},
		"dns:shop.example?token=secret":           {"shop.example", 443},
		"dns:shop.example:80?token=secret":        {"shop.example", 80},
		"dns:///shop.example:http":                {"shop.example", 0},
		"dns:///[::1]":                            {"::1", 443},
		"passthrough:192.0.2.1:80?a=b":            {"192.0.2.1", 80},
		"unix:/run/shop?a=b":                      {"/run/shop", 0},
		"dns:///shop.example:80#part":             {"shop.example", 80},
		"kubernetes:///shop.default:grpc":         {"shop.default", 0},
		"etcd-endpoints://0xc0001/127.0.0.1:2379": {"127.0.0.1", 2379},
	} {
		if address, port := serverOf(target); address != want.address || port != want.port {
			t.Errorf(
				"%q is %q, port %d; want %q, %d", target, address, port, want.address, want.port,
			)
		}
	}
}

// A caller can choose what is no method of the server's: old servers have other answers to that than
// UNIMPLEMENTED.
func TestAMalformedMethodNamesNoSpanOfAServer(t *testing.T) {
	const resourceExhausted = 8
	for method, name := range map[string]string{
		"/shop.Cart/Add": "shop.Cart/Add", "shop.Cart/Add": "shop.Cart/Add",
		"": "grpc", "/": "grpc", "//": "grpc", "chosen-4711": "grpc", "/chosen-4711": "grpc",
		"//chosen": "grpc", "/chosen/": "grpc", "/shop.Cart/Add/4711": "grpc", "/a//b": "grpc",
	} {
		var span model.Span
		record := laidOut(streamTextsAt, unsafe.Offsetof(serverStreamSpan{}.Tracestate),
			func(fixed []byte) {
				at := fixed[unsafe.Offsetof(serverStreamSpan{}.Code):]
				binary.LittleEndian.PutUint32(at, resourceExhausted)
			}, "", method)
		if err := decodeStream(record, &span, probe.DecodeOptions{}); err != nil {
			t.Fatal(err)
		}
		if span.Name != name {
			t.Errorf("a call of %q is named %q, want %q", method, span.Name, name)
		}
	}
}

// FuzzDecode feeds both decoders any bytes: they must survive, and give valid
// attributes.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(
		laidOut(
			streamTextsAt, unsafe.Offsetof(serverStreamSpan{}.Tracestate), func([]byte) {}, "a=1",
			"/s/M", "h:1", "1.2.3.4:5", "/s", "ua",
		),
	)
	f.Add(
		laidOut(
			callTextsAt,
			unsafe.Offsetof(clientCallSpan{}.Method),
			func([]byte) {},
			"/s/M",
			"dns:///h",
			"/s",
			"*e",
		),
	)
	f.Fuzz(func(t *testing.T, record []byte) {
		for _, decode := range []func([]byte, *model.Span, probe.DecodeOptions) error{decodeStream, decodeCall} {
			var span model.Span
			if decode(record, &span, probe.DecodeOptions{}) != nil {
				continue
			}
			for _, a := range append(span.Attributes, model.String("name", span.Name)) {
				if !utf8.ValidString(a.Str) || len(a.Str) > 256 {
					t.Errorf("%s is %q", a.Key, a.Str)
				}
			}
		}
	})
}
