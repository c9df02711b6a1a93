package golang

import (
	"testing"
	"unsafe"

	"github.com/spanprobe/spanprobe/internal/record"
)

func TestPeersAreReadAsTheProgramsLayThemOut(t *testing.T) {
	for kind, want := range map[layoutsPeerKind]int{
		layoutsPeerKindPEER_IPV4: record.PeerIPv4, layoutsPeerKindPEER_IPV6: record.PeerIPv6, layoutsPeerKindPEER_UNIX: record.PeerUnix,
	} {
		if int(kind) != want {
			t.Errorf("a kind is %d in C and %d in Go", kind, want)
		}
	}
	var peer layoutsPeer
	if at := unsafe.Offsetof(peer.Port); at != record.PeerPort {
		t.Errorf("the port is at %d, and read at %d", at, record.PeerPort)
	}
	if at := unsafe.Offsetof(peer.Kind); at != record.PeerKind {
		t.Errorf("the kind is at %d, and read at %d", at, record.PeerKind)
	}
	if size := unsafe.Sizeof(peer); size != record.PeerSize {
		t.Errorf("a peer has %d bytes, and %d are read", size, record.PeerSize)
	}
}
