// Package loopback finds ports of the loopback device.
package loopback

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Programs that ask the kernel for any port get one of 32768 and above
// (net.ipv4.ip_local_port_range): nobody gets one of these meanwhile.
const firstPort, ports = 20000, 12000

// FreePorts returns so many ports at which nobody listens, all different.
func FreePorts(n int) ([]int, error) {
	var free []int
	for range 100 + n {
		if len(free) == n {
			return free, nil
		}
		listener, err := net.Listen("tcp", Address(firstPort+rand.IntN(ports)))
		if err != nil {
			continue // somebody has that one
		}
		defer listener.Close() // not before all are chosen, so that none is chosen twice
		free = append(free, listener.Addr().(*net.TCPAddr).Port)
	}
	return nil, errors.New("no port of the loopback device is free")
}

// Address is that of a port, as host:port.
func Address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// Refusing is an address of this machine at which nobody listens.
func Refusing(t testing.TB) string {
	t.Helper()
	ports, err := FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return Address(ports[0])
}
