// Package netns makes network namespaces for tests, and joins them. It needs root.
package netns

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// device is the end of a pair, which goes with its namespace.
const device = "spanprobe"

// Namespace is a network namespace.
type Namespace struct{ handle netns.NsHandle }

// Of is the namespace of a process, until the test ends.
func Of(t testing.TB, pid int) Namespace {
	t.Helper()
	handle, err := netns.GetFromPid(pid)
	must(t, err)
	t.Cleanup(func() { must(t, handle.Close()) })
	return Namespace{handle}
}

// New makes a namespace that has nothing but its loopback device. It is gone when the test ends,
// and with it what was started there.
func New(t testing.TB) (n Namespace) {
	t.Helper()
	must(t, aside(func() (err error) {
		if n.handle, err = netns.New(); err != nil {
			return err
		}
		return Up("lo")
	}))
	t.Cleanup(func() { must(t, n.handle.Close()) })
	return n
}

// Up has a device of the namespace that the calling thread is in go up.
func Up(device string) error {
	if err := netlink.LinkSetUp(named(device)); err != nil {
		return fmt.Errorf("device %q: %w", device, err)
	}
	return nil
}

// named is a device that netlink looks up by its name.
func named(device string) netlink.Link {
	return &netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: device}}
}

// Join gives two namespaces an end each of a pair of veth devices, with addresses as
// "10.0.0.1/24".
func Join(t testing.TB, a, b Namespace, addressOfA, addressOfB string) {
	t.Helper()
	must(t, a.Do(func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: device},
			PeerName:  device, PeerNamespace: netlink.NsFd(b.handle),
		})
	}))
	for _, n := range []Namespace{a, b} {
		must(t, n.Do(func() error { return Up(device) }))
	}
	a.Add(t, addressOfA)
	b.Add(t, addressOfB)
}

// Add gives the namespace's end of a pair of devices another address, which it may use at once.
func (n Namespace) Add(t testing.TB, address string) {
	t.Helper()
	parsed, err := netlink.ParseAddr(address)
	must(t, err)
	parsed.Flags = unix.IFA_F_NODAD // to look for others that have it takes a second
	must(t, n.Do(func() error { return netlink.AddrAdd(named(device), parsed) }))
}

// Do does something in the namespace: sockets that it makes and programs that it
// starts belong there, but not what other goroutines do for it.
func (n Namespace) Do(do func() error) error {
	return aside(func() error {
		if err := netns.Set(n.handle); err != nil {
			return err
		}
		return do()
	})
}

// aside does something on a thread of its own.
func aside(do func() error) error {
	done := make(chan error)
	go func() {
		// A goroutine that ends while it is locked takes its thread along, which is in
		// the wrong namespace then.
		runtime.LockOSThread()
		done <- do()
	}()
	return <-done
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("namespaces: %v", err)
	}
}
