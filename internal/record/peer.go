package record

import (
	"encoding/binary"
	"net/netip"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/internal/model"
)

// The kinds of peers: enum peer_kind, bpf/include/netconn.h.
const (
	PeerIPv4 = 1
	PeerIPv6 = 2
	PeerUnix = 3
)

// Offsets in struct peer, and its size.
const (
	PeerPort = 16
	PeerKind = 18
	PeerSize = 24
)

// unnamed is what Go calls the socket of a peer that has not bound it to a path:
// src/syscall/syscall_linux.go, anyToSockaddr.
const unnamed = "@"

// AppendPeer adds what a struct peer says; socket is the path of a unix socket.
// It adds nothing for a peer that is not known.
func AppendPeer(attributes []model.Attribute, peer []byte, socket Text) []model.Attribute {
	if len(peer) < PeerSize {
		return attributes
	}
	var address netip.Addr
	switch peer[PeerKind] {
	case PeerIPv4:
		address = netip.AddrFrom4([4]byte(peer))
	case PeerIPv6:
		address = netip.AddrFrom16([16]byte(peer)).Unmap()
	case PeerUnix:
		attributes = append(attributes, model.String(string(semconv.NetworkTransportKey), semconv.NetworkTransportUnix.Value.AsString()))
		if socket.Raw != "" && socket.Raw != unnamed && !socket.Cut {
			attributes = append(attributes, model.String(string(semconv.NetworkPeerAddressKey), socket.Valid(len(socket.Raw))))
		}
		return attributes
	default:
		return attributes
	}
	return append(attributes,
		model.String(string(semconv.NetworkPeerAddressKey), address.String()),
		model.Int(string(semconv.NetworkPeerPortKey), int64(binary.LittleEndian.Uint16(peer[PeerPort:]))))
}
