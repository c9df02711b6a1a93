package connections

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

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

// A client whose addresses are translated on the way knows another connection than its server. That
// server's looks like the one of the other pair, whose client has no translation.
func TestTranslatedAddressesGiveNoParentRatherThanAGuess(t *testing.T) {
	servers, clients := twins(t, func(pair int, at netns.Namespace) {
		if pair == 0 {
			at.Translate(t, otherHost, serverHost)
		}
	})
	tracer := trace(t, append(servers, clients...)...)
	expectCounted(t, tracer, compare(t, tracer, followTwins(t, clients, func(pair int, l *link) {
		if l.expect = ifKnown; pair == 0 {
			l.Address, l.expect = at(otherHost, l.Protocol), apart
		}
	})))
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
