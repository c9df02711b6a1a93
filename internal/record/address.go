package record

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// SplitHostPort splits "host:port", "[address]:port", or either without a port. The port is 0 if
// there is none, or none that is a number. Both are empty if a bracket is not closed.
func SplitHostPort(s string) (host string, port uint16) {
	if strings.IndexByte(s, ':') < 0 && !strings.HasPrefix(s, "[") {
		return s, 0 // which net.SplitHostPort would answer with an error
	}
	host, digits, err := net.SplitHostPort(s)
	if err != nil {
		inside, ok := strings.CutPrefix(s, "[")
		if !ok {
			return s, 0
		}
		if inside, ok = strings.CutSuffix(inside, "]"); !ok {
			return "", 0
		}
		return inside, 0
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return host, 0
	}
	return host, uint16(n)
}

// SplitAddrPort splits an IP address and its port, as net.TCPAddr.String has them. ok is false for
// what is none, such as the name of a unix socket.
func (t Text) SplitAddrPort() (address string, port uint16, ok bool) {
	peer, err := netip.ParseAddrPort(t.Raw)
	if err != nil || t.Cut {
		return "", 0, false
	}
	if peer.Addr().Is4() { // has one way to be written
		return t.Raw[:strings.LastIndexByte(t.Raw, ':')], peer.Port(), true
	}
	return peer.Addr().Unmap().String(), peer.Port(), true
}
