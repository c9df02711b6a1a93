package nethttp

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
	failed := laidOut(func(fixed []byte) {
		binary.LittleEndian.PutUint16(fixed[statusAt:], 502)
		fixed[protoMajorAt], fixed[protoMinorAt], fixed[tlsAt] = 1, 1, 1
	}, "a=1", "PROPFIND", "/items/1?a=b", "shop.example:8080", "192.0.2.7:5000", "agent/1", "/items/")
	server := Server()
	if got, want := attributesOf(t, server, failed), documented(server); !slices.Equal(got, want) {
		t.Errorf("spans have\n%q, documented are\n%q", got, want)
	}
}

func TestTheAttributesOfClientsAreThoseThatAreDocumented(t *testing.T) {
	var layout clientClientSpan
	to := func(kind uint8) []byte {
		return laidOutCall(func(fixed []byte) {
			binary.LittleEndian.PutUint16(fixed[unsafe.Offsetof(layout.Status):], 404)
			fixed[unsafe.Offsetof(layout.ProtoMajor)] = 2
			fixed[unsafe.Offsetof(layout.Resends)] = 1
			fixed[unsafe.Offsetof(layout.Peer)+unsafe.Offsetof(layout.Peer.Kind)] = kind
		}, "PROPFIND", "https", "shop.example:8443", "/items", "a=b", "/run/shop")
	}
	client := Client()
	got := attributesOf(t, client, to(wire.PeerIPv4), to(wire.PeerUnix))
	if want := documented(client); !slices.Equal(got, want) {
		t.Errorf("spans have\n%q, documented are\n%q", got, want)
	}
}
