package record

import (
	"encoding/binary"
	"net/netip"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
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

// AddPeer adds what a struct peer says; socket is the path of a unix socket.
// It adds nothing for a peer that is not known.
func (a *Attributes) AddPeer(peer []byte, socket Text) {
	if len(peer) < PeerSize {
		return
	}
	var address netip.Addr
	switch peer[PeerKind] {
	case PeerIPv4:
		address = netip.AddrFrom4([4]byte(peer))
	case PeerIPv6:
		address = netip.AddrFrom16([16]byte(peer)).Unmap()
	case PeerUnix:
		a.Add(semconv.NetworkTransportKey, semconv.NetworkTransportUnix.Value.AsString())
		if socket.Raw != unnamed && !socket.Cut {
			a.Add(semconv.NetworkPeerAddressKey, socket.Valid(len(socket.Raw)))
		}
		return
	default:
		return
	}
	a.Add(semconv.NetworkPeerAddressKey, address.String())
	a.AddInt(semconv.NetworkPeerPortKey, int64(binary.LittleEndian.Uint16(peer[PeerPort:])))
}
