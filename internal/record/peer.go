package record

import (
	"net/netip"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/internal/wire"
)

// unnamed is what Go calls the socket of a peer that has not bound it to a path:
// src/syscall/syscall_linux.go, anyToSockaddr.
const unnamed = "@"

// AddPeer adds the peer of a connection: the struct peer with which the bytes begin. socket is the
// path of a unix socket. An unknown peer adds nothing.
func (a *Attributes) AddPeer(record []byte, socket Text) {
	peer, ok := wire.ParsePeer(record)
	if !ok {
		return
	}
	var address netip.Addr
	switch peer.Kind {
	case wire.PeerIPv4:
		address = netip.AddrFrom4([4]byte(peer.Address[:]))
	case wire.PeerIPv6:
		address = netip.AddrFrom16(peer.Address).Unmap()
	case wire.PeerUnix:
		a.Add(semconv.NetworkTransportKey, semconv.NetworkTransportUnix.Value.AsString())
		if socket.Raw != unnamed && !socket.Cut {
			a.Add(semconv.NetworkPeerAddressKey, socket.Valid(len(socket.Raw)))
		}
		return
	default:
		return
	}
	a.Add(semconv.NetworkPeerAddressKey, address.String())
	a.AddInt(semconv.NetworkPeerPortKey, int64(peer.Port))
}
