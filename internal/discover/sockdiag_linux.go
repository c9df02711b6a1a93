package discover

import (
	"encoding/binary"
	"fmt"
	"os"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// The message types and structs of the kernel's include/uapi/linux/sock_diag.h and
// inet_diag.h. Ports are in network byte order.
const sockDiagByFamily = 20

type inetDiagSocket struct {
	SourcePort, DestinationPort [2]byte
	Source, Destination         [16]byte
	Interface                   uint32
	Cookie                      [2]uint32
}

type inetDiagRequest struct {
	Family, Protocol, Extensions, _ uint8
	States                          uint32 // one bit each
	Socket                          inetDiagSocket
}

type inetDiagMessage struct {
	Family, State, Timer, Retransmits   uint8
	Socket                              inetDiagSocket
	Expires, ReadQueue, WriteQueue, UID uint32
	Inode                               uint32
}

// stateListen is TCP_LISTEN of the kernel's include/net/tcp_states.h.
const stateListen = 10

// dumpListeners asks the kernel for the sockets that listen in a network namespace, and
// adds those of the wanted ports. The kernel looks at its table of these alone, whereas
// it walks the table of all connections for the files of /proc. The file names the
// namespace, and nil stands for this process's own. To enter another takes CAP_SYS_ADMIN.
func dumpListeners(namespace *os.File, wanted func(port uint16) bool, to map[uint64]uint16) error {
	config := &netlink.Config{}
	if namespace != nil {
		config.NetNS = int(namespace.Fd())
	}
	conn, err := netlink.Dial(unix.NETLINK_INET_DIAG, config)
	if err != nil {
		return fmt.Errorf("ask for the sockets that listen: %w", err)
	}
	defer conn.Close()
	for _, family := range []uint8{unix.AF_INET6, unix.AF_INET} {
		request := inetDiagRequest{
			Family: family, Protocol: unix.IPPROTO_TCP, States: 1 << stateListen,
		}
		data, err := binary.Append(nil, binary.NativeEndian, &request)
		if err != nil {
			return err
		}
		answers, err := conn.Execute(netlink.Message{
			Header: netlink.Header{Type: sockDiagByFamily, Flags: netlink.Request | netlink.Dump},
			Data:   data,
		})
		if err != nil {
			return fmt.Errorf("ask for the sockets that listen: %w", err)
		}
		for _, answer := range answers {
			var socket inetDiagMessage
			if _, err := binary.Decode(answer.Data, binary.NativeEndian, &socket); err != nil {
				return fmt.Errorf("a socket that listens: %w", err)
			}
			port := binary.BigEndian.Uint16(socket.Socket.SourcePort[:])
			if socket.State == stateListen && wanted(port) {
				to[uint64(socket.Inode)] = port
			}
		}
	}
	return nil
}

// ownNamespace is the link of this thread's network namespace. The collector's threads are
// all in the same one.
func ownNamespace() (string, error) { return os.Readlink("/proc/thread-self/ns/net") }
