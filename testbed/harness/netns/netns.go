// Package netns makes network namespaces for tests, and joins them. It needs root.
package netns

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
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

// Translate has connections that are made in the namespace to an address of IPv4 go to
// another (DNAT), as those to a Service of Kubernetes do.
func (n Namespace) Translate(t testing.TB, from, to netip.Addr) {
	t.Helper()
	n.translate(t, "output", nftables.ChainHookOutput, nftables.ChainPriorityNATDest,
		expr.NATTypeDestNAT, from, to)
}

// Disguise has connections that are made from an address of IPv4 come from another (SNAT), which
// the namespace has as well.
func (n Namespace) Disguise(t testing.TB, from, to netip.Addr) {
	t.Helper()
	n.translate(t, "postrouting", nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource,
		expr.NATTypeSourceNAT, from, to)
}

func (n Namespace) translate(
	t testing.TB, name string, hook *nftables.ChainHook, priority *nftables.ChainPriority,
	nat expr.NATType, from, to netip.Addr,
) {
	t.Helper()
	// Where the addresses are in a header of IPv4: RFC 791.
	offset := map[expr.NATType]uint32{expr.NATTypeSourceNAT: 12, expr.NATTypeDestNAT: 16}[nat]
	must(t, n.Do(func() error {
		rules, err := nftables.New()
		if err != nil {
			return err
		}
		ipv4 := &nftables.Table{Name: "spanprobe", Family: nftables.TableFamilyIPv4}
		table := rules.AddTable(ipv4)
		chain := rules.AddChain(&nftables.Chain{
			Name: name, Table: table, Type: nftables.ChainTypeNAT, Hooknum: hook, Priority: priority,
		})
		rules.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
			&expr.Payload{
				DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4,
			},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: from.AsSlice()},
			&expr.Immediate{Register: 1, Data: to.AsSlice()},
			&expr.NAT{Type: nat, Family: unix.NFPROTO_IPV4, RegAddrMin: 1},
		}})
		return rules.Flush()
	}))
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
