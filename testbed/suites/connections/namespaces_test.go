package connections

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/netns"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

const port = 8080 // of the servers in namespaces, for HTTP

// Of the servers in namespaces, and an address that nobody has.
var serverHost, otherHost = netip.MustParseAddr("10.99.1.2"), netip.MustParseAddr("10.99.1.9")

// twins are two pairs of programs, each in namespaces of their own, with the very same
// addresses. The clients' are prepared.
func twins(t *testing.T, prepare func(pair int, at netns.Namespace)) (servers, clients []*peer) {
	t.Helper()
	for i := range 2 {
		at, to := netns.New(t), netns.New(t)
		netns.Join(t, at, to, "10.99.1.1/24", serverHost.String()+"/24")
		prepare(i, at)
		servers = append(servers, startIn(t, to.Do, newest, "-port", fmt.Sprint(port)))
		clients = append(clients, startIn(t, at.Do, newest))
	}
	return servers, clients
}

// at is where a server is for a protocol.
func at(host netip.Addr, protocol string) string {
	if protocol == "unary" || protocol == "stream" {
		return netip.AddrPortFrom(host, port+1).String()
	}
	return netip.AddrPortFrom(host, port).String()
}

func nothing(int, netns.Namespace) {}

// followTwins makes the same requests from both clients at the same time, from the same
// ports.
func followTwins(t *testing.T, clients []*peer, change func(pair int, l *link)) []link {
	t.Helper()
	var list []link
	var wg sync.WaitGroup
	for i, client := range clients {
		var its []link
		for n, o := range []order{
			{Protocol: "http1", AtOnce: 1},
			{Protocol: "http2", AtOnce: many},
			{Protocol: "unary", AtOnce: many},
			{Protocol: "stream", AtOnce: many},
		} {
			o.Name, o.Requests, o.LocalPort = fmt.Sprintf("pair-%d-%s", i,
				o.Protocol), many, 40000+n
			o.Network, o.Address = "tcp", at(serverHost, o.Protocol)
			l := link{order: o, one: true}
			change(i, &l)
			its = append(its, l)
		}
		list = append(list, its...)
		wg.Go(func() {
			for _, l := range its {
				client.follow(t, l, nil)
			}
		})
	}
	wg.Wait()
	return list
}

// What has no parent then is counted; what has one has its own.
func TestTheSameAddressesInOtherNamespacesAreOthers(t *testing.T) {
	servers, clients := twins(t, nothing)
	tracer := trace(t, append(servers, clients...)...)
	expectCounted(t, tracer, compare(t, tracer, followTwins(t, clients, func(_ int, l *link) {
		l.expect = ifKnown
	})))
}

// expectCounted expects that so many requests without a parent were counted.
func expectCounted(t *testing.T, tracer *tracing.Tracer, without int) {
	t.Helper()
	counted := tracer.MustStats(t).Degraded[engine.DegradedUnknownConnection]
	t.Logf("%d requests have no parent, %d ends of connections could not be told", without, counted)
	if without > int(counted) {
		t.Errorf("%d requests have no parent, only %d ends of connections could not be told",
			without, counted)
	}
}

// Of each pair one end alone is traced: there seems to be one connection, and there are two.
func TestEndsOfUnrelatedConnectionsAreNotTakenForOne(t *testing.T) {
	servers, clients := twins(t, nothing)
	tracer := trace(t, clients[0], servers[1])
	compare(t, tracer, followTwins(t, clients, func(pair int, l *link) {
		l.untraced = []untraced{theServer, theClient}[pair]
	}))
}

// The ends of a connection know other addresses than each other behind a Service of Kubernetes. The
// server's are those of the other pair, whose client has no translation.
func TestTranslatedAddressesAreNoHindrance(t *testing.T) {
	var (
		clientHost = netip.MustParseAddr("10.99.1.1")
		disguise   = netip.MustParseAddr("10.99.1.8")
	)
	for name, prepare := range map[string]func(netns.Namespace){
		"of the server": func(at netns.Namespace) {
			translate(t, at, ofDestination, otherHost, serverHost)
		},
		"of both": func(at netns.Namespace) {
			translate(t, at, ofDestination, otherHost, serverHost)
			at.Add(t, disguise.String()+"/24")
			translate(t, at, ofSource, clientHost, disguise)
		},
	} {
		t.Run(name, func(t *testing.T) {
			servers, clients := twins(t, func(pair int, at netns.Namespace) {
				if pair == 0 {
					prepare(at)
				}
			})
			tracer := trace(t, append(servers, clients...)...)
			followed := followTwins(t, clients, func(pair int, l *link) {
				if l.expect = ifKnown; pair == 0 {
					l.Address = at(otherHost, l.Protocol)
				}
			})
			without := compare(t, tracer, followed)
			expectCounted(t, tracer, without)
			if n := len(followed) * many; without > n/10 {
				t.Errorf("%d of %d requests have no parent", without, n)
			}
		})
	}
}

// Connections over several paths begin with one of TCP. Go's listeners take them since Go 1.24, and
// its dialers ask for them if the program does.
func TestRequestsOverSeveralPathsAreJoined(t *testing.T) {
	for name, serverAccepts := range map[string]string{"both ends": "1", "the client alone": "0"} {
		t.Run(name, func(t *testing.T) {
			namespace := netns.New(t)
			start := func(multipath string) *peer {
				t.Setenv("GODEBUG", "multipathtcp="+multipath)
				return startIn(t, namespace.Do, newest)
			}
			server, client := start(serverAccepts), start("1")
			tracer := trace(t, client, server)
			list := links(ends{newest, newest})
			list = slices.DeleteFunc(list, func(l link) bool {
				return !strings.HasSuffix(l.listener, " ipv4") || l.expect != linked
			})
			for _, l := range list {
				client.follow(t, l, server)
			}
			compare(t, tracer, list)
			if n := multipathConnections(t, client.PID); n == 0 {
				t.Error("no connection over several paths was asked for")
			}
		})
	}
}

// multipathConnections counts those that were asked for in the namespace of a process.
func multipathConnections(t *testing.T, pid int) int {
	t.Helper()
	statistics, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/netstat", pid))
	if err != nil {
		t.Fatal(err)
	}
	var names []string // of the numbers that are in the next line
	for line := range strings.Lines(string(statistics)) {
		fields := strings.Fields(line)
		if fields[0] != "MPTcpExt:" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		n, err := strconv.Atoi(fields[slices.Index(names, "MPCapableSYNTX")])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	t.Fatal("the kernel says nothing of connections over several paths")
	return 0
}

// With TCP Fast Open a request may go with the SYN: nobody can name its connection by then.
func TestARequestThatGoesWithTheSYNIsCounted(t *testing.T) {
	const always = "1543" // 0x607: ask and accept, also without a cookie (Documentation/networking)
	namespace := netns.New(t)
	if err := namespace.Do(func() error {
		return os.WriteFile("/proc/sys/net/ipv4/tcp_fastopen", []byte(always), 0o644)
	}); err != nil {
		t.Fatal(err)
	}
	server, client := startIn(t, namespace.Do, newest), startIn(t, namespace.Do, newest)
	tracer := trace(t, client, server)
	l := link{
		order: order{
			Name: "http1-fast-open", Protocol: "http1", Requests: few, AtOnce: 1, Close: true,
			FastOpen: true,
		},
		listener: "http ipv4", expect: ifKnown,
	}
	client.follow(t, l, server)
	without := compare(t, tracer, []link{l})
	expectCounted(t, tracer, without)
	if without == 0 {
		t.Error("no request has gone with the SYN")
	}
}

// Where nothing else has the same addresses, requests are joined.
func TestRequestsFromOneNamespaceToAnotherAreJoined(t *testing.T) {
	from, to := netns.New(t), netns.New(t)
	netns.Join(t, from, to, "10.99.2.1/24", "10.99.2.2/24")
	from.Add(t, "fd99::1/64")
	to.Add(t, "fd99::2/64")
	server, client := startIn(t, to.Do, newest, "-port", fmt.Sprint(port)), startIn(t, from.Do,
		newest)
	tracer := trace(t, client, server)
	var list []link
	for _, l := range links(ends{newest, newest}) {
		var host netip.Addr
		switch _, listener, _ := strings.Cut(l.listener, " "); listener {
		case "dual":
			host = netip.MustParseAddr("10.99.2.2")
		case "ipv6":
			host = netip.MustParseAddr("fd99::2")
		default:
			continue // that listens elsewhere
		}
		l.Network, l.Address = "tcp", at(host, l.Protocol)
		client.follow(t, l, server)
		list = append(list, l)
	}
	compare(t, tracer, list)
}

// translation has connections that are made in a namespace go to another address of IPv4 (DNAT), as
// those to a Service of Kubernetes do, or come from another (SNAT), which the namespace has as well.
type translation struct {
	name     string
	hook     *nftables.ChainHook
	priority *nftables.ChainPriority
	kind     expr.NATType
	offset   uint32 // of the address in a header of IPv4: RFC 791
}

var (
	ofDestination = translation{
		"output", nftables.ChainHookOutput, nftables.ChainPriorityNATDest, expr.NATTypeDestNAT, 16,
	}
	ofSource = translation{
		"postrouting", nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource,
		expr.NATTypeSourceNAT, 12,
	}
)

// translate has it done in a namespace.
func translate(t *testing.T, n netns.Namespace, of translation, from, to netip.Addr) {
	t.Helper()
	if err := n.Do(func() error {
		rules, err := nftables.New()
		if err != nil {
			return err
		}
		ipv4 := &nftables.Table{Name: "spanprobe", Family: nftables.TableFamilyIPv4}
		table := rules.AddTable(ipv4)
		chain := rules.AddChain(&nftables.Chain{
			Name: of.name, Table: table, Type: nftables.ChainTypeNAT,
			Hooknum: of.hook, Priority: of.priority,
		})
		rules.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
			&expr.Payload{
				DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: of.offset, Len: 4,
			},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: from.AsSlice()},
			&expr.Immediate{Register: 1, Data: to.AsSlice()},
			&expr.NAT{Type: of.kind, Family: unix.NFPROTO_IPV4, RegAddrMin: 1},
		}})
		return rules.Flush()
	}); err != nil {
		t.Fatal(err)
	}
}
