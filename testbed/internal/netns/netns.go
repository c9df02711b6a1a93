// Package netns makes network namespaces for tests, and joins them. It needs root, and
// iproute2's command ip.
package netns

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace.
type Namespace struct{ name string }

var made atomic.Int64

// New makes a namespace that has nothing but its loopback device. It is gone when the test ends.
func New(t testing.TB) Namespace {
	t.Helper()
	n := Namespace{fmt.Sprintf("spanprobe-%d-%d", os.Getpid(), made.Add(1))}
	ip(t, "netns", "add", n.name)
	t.Cleanup(func() { ip(t, "netns", "del", n.name) })
	ip(t, "-n", n.name, "link", "set", "lo", "up")
	return n
}

// Join gives two namespaces an end each of a pair of veth devices, with addresses as
// "10.0.0.1/24".
func Join(t testing.TB, a, b Namespace, addressOfA, addressOfB string) {
	t.Helper()
	const device = "spanprobe" // which goes with its namespace
	ip(t, "-n", a.name, "link", "add", device, "type", "veth", "peer", "name", device, "netns", b.name)
	for _, end := range []struct {
		Namespace
		address string
	}{{a, addressOfA}, {b, addressOfB}} {
		ip(t, "-n", end.name, "address", "add", end.address, "dev", device)
		ip(t, "-n", end.name, "link", "set", device, "up")
	}
}

func ip(t testing.TB, arguments ...string) {
	t.Helper()
	if output, err := exec.Command("ip", arguments...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
}

// Do does something in the namespace: sockets that it makes and programs that it
// starts belong there, but not what other goroutines do for it.
func (n Namespace) Do(do func() error) error {
	inside, err := os.Open(filepath.Join("/run/netns", n.name))
	if err != nil {
		return err
	}
	defer inside.Close()
	done := make(chan error)
	go func() {
		// A goroutine that ends while it is locked takes its thread along, which is in
		// the wrong namespace then.
		runtime.LockOSThread()
		if err := unix.Setns(int(inside.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter the namespace %s: %w", n.name, err)
			return
		}
		done <- do()
	}()
	return <-done
}
