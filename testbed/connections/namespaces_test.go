package connections

import (
	"fmt"
	"sync"
	"testing"

	"github.com/spanprobe/spanprobe/testbed/internal/netns"
)

const port = 8080 // of the servers in namespaces, for HTTP

// twins are two pairs of programs, each in namespaces of their own, with the very same
// addresses.
func twins(t *testing.T) (servers, clients []*peer) {
	t.Helper()
	for range 2 {
		at, to := netns.New(t), netns.New(t)
		netns.Join(t, at, to, "10.99.1.1/24", "10.99.1.2/24")
		servers = append(servers, startIn(t, to.Do, newest, "-port", fmt.Sprint(port)))
		clients = append(clients, startIn(t, at.Do, newest))
	}
	return servers, clients
}

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
			o.Name, o.Requests, o.LocalPort = fmt.Sprintf("pair-%d-%s", i, o.Protocol), many, 40000+n
			o.Network, o.Address = "tcp", fmt.Sprintf("10.99.1.2:%d", port)
			if o.Protocol == "unary" || o.Protocol == "stream" {
				o.Address = fmt.Sprintf("10.99.1.2:%d", port+1)
			}
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
	servers, clients := twins(t)
	tracer := trace(t, append(servers, clients...)...)
	compare(t, tracer, followTwins(t, clients, func(_ int, l *link) { l.expect = ifKnown }))
}

// Of each pair one end alone is traced: there seems to be one connection, and there are two.
func TestEndsOfUnrelatedConnectionsAreNotTakenForOne(t *testing.T) {
	servers, clients := twins(t)
	tracer := trace(t, clients[0], servers[1])
	compare(t, tracer, followTwins(t, clients, func(pair int, l *link) {
		l.untraced = []untraced{theServer, theClient}[pair]
	}))
}

// Where nothing else has the same addresses, requests are joined.
func TestRequestsFromOneNamespaceToAnotherAreJoined(t *testing.T) {
	at, to := netns.New(t), netns.New(t)
	netns.Join(t, at, to, "10.99.2.1/24", "10.99.2.2/24")
	server, client := startIn(t, to.Do, newest, "-port", fmt.Sprint(port)), startIn(t, at.Do, newest)
	tracer := trace(t, client, server)
	var list []link
	for _, l := range links(ends{newest, newest}) {
		switch l.listener {
		case "http dual":
			l.Network, l.Address = "tcp", fmt.Sprintf("10.99.2.2:%d", port)
		case "grpc dual":
			l.Network, l.Address = "tcp", fmt.Sprintf("10.99.2.2:%d", port+1)
		default:
			continue // that listens elsewhere
		}
		client.follow(t, l, server)
		list = append(list, l)
	}
	compare(t, tracer, list)
}
