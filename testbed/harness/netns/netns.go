// Package netns makes network namespaces for tests, and joins them. It needs root, and
// iproute2's command ip.
package netns

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// device is the end of a pair, which goes with its namespace.
const device = "spanprobe"

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
	ip(t, "-n", a.name, "link", "add", device, "type", "veth", "peer", "name", device, "netns", b.name)
	for _, end := range []struct {
		Namespace
		address string
	}{{a, addressOfA}, {b, addressOfB}} {
		ip(t, "-n", end.name, "link", "set", device, "up")
		end.Add(t, end.address)
	}
}

// Add gives the namespace's end of a pair of devices another address, which it may use at once.
func (n Namespace) Add(t testing.TB, address string) {
	t.Helper()
	arguments := []string{"-n", n.name, "address", "add", address, "dev", device}
	if strings.Contains(address, ":") {
		arguments = append(arguments, "nodad") // which takes a second
	}
	ip(t, arguments...)
}

// Translate has connections that are made in the namespace to an address of IPv4 go to
// another (DNAT), as those to a Service of Kubernetes do.
func (n Namespace) Translate(t testing.TB, from, to netip.Addr) {
	t.Helper()
	if err := n.Do(func() error {
		rules, err := nftables.New()
		if err != nil {
			return err
		}
		table := rules.AddTable(&nftables.Table{Name: "spanprobe", Family: nftables.TableFamilyIPv4})
		chain := rules.AddChain(&nftables.Chain{
			Name: "output", Table: table, Type: nftables.ChainTypeNAT,
			Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityNATDest,
		})
		const destination = 16 // of an address in a header of IPv4 (RFC 791)
		rules.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: destination, Len: 4},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: from.AsSlice()},
			&expr.Immediate{Register: 1, Data: to.AsSlice()},
			&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1},
		}})
		return rules.Flush()
	}); err != nil {
		t.Fatalf("have the kernel translate addresses: %v", err)
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
