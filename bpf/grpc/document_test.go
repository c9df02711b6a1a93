package grpc

import (
	"encoding/binary"
	"maps"
	"slices"
	"testing"
	"unsafe"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// attributesOf lists the keys of attributes that some records of a library have, sorted.
func attributesOf(t *testing.T, library probe.Library, records ...[]byte) []string {
	t.Helper()
	keys := map[string]bool{}
	for _, record := range records {
		var span model.Span
		if err := library.Decode(record, &span, probe.DecodeOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, attribute := range span.Attributes {
			keys[attribute.Key] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

func documented(library probe.Library) []string {
	var keys []string
	for _, attribute := range library.Attributes {
		keys = append(keys, string(attribute.Key))
	}
	slices.Sort(keys)
	return keys
}

func TestTheAttributesOfServersAreThoseThatAreDocumented(t *testing.T) {
	var layout serverStreamSpan
	from := func(kind uint8) []byte {
		return laidOut(streamTextsAt, unsafe.Offsetof(layout.Tracestate), func(fixed []byte) {
			binary.LittleEndian.PutUint32(fixed[unsafe.Offsetof(layout.Code):], codeUnimplemented)
			putPeer(fixed[unsafe.Offsetof(layout.Peer):], kind, 4711, 192, 0, 2, 7)
		}, "a=1", "/no/such/Method", "shop.example:8080", "", "/run/shop", "grpc-go/1.85.0")
	}
	server := Server()
	got := attributesOf(t, server, from(wire.PeerIPv4), from(wire.PeerUnix))
	if want := documented(server); !slices.Equal(got, want) {
		t.Errorf("spans have\n%q, documented are\n%q", got, want)
	}
}

func TestTheAttributesOfClientsAreThoseThatAreDocumented(t *testing.T) {
	var layout clientCallSpan
	to := func(kind uint8) []byte {
		return laidOut(callTextsAt, unsafe.Offsetof(layout.Method), func(fixed []byte) {
			binary.LittleEndian.PutUint32(fixed[unsafe.Offsetof(layout.Code):], codeUnimplemented)
			putPeer(fixed[unsafe.Offsetof(layout.Peer):], kind, 4711, 192, 0, 2, 7)
		}, "/shop.Cart/Add", "dns:///shop.example", "/run/shop")
	}
	client := Client()
	got := attributesOf(t, client, to(wire.PeerIPv4), to(wire.PeerUnix))
	if want := documented(client); !slices.Equal(got, want) {
		t.Errorf("spans have\n%q, documented are\n%q", got, want)
	}
}
