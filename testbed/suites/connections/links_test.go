package connections

import (
	"fmt"

	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

// expectation is what the parent of a SERVER span is to be.
type expectation int

const (
	linked  expectation = iota // the CLIENT span of the same request
	ifKnown                    // that, or none
	apart                      // none
)

// order is one of the peer's.
type order struct {
	Name                       string
	First, Requests, AtOnce    int
	Protocol, Network, Address string
	TLS, Close, Wrapped        bool
	LocalPort                  int
	Reset, FastOpen            bool
}

// link is one way in which requests get from one program to another.
type link struct {
	order
	listener string // of the server
	one      bool   // all requests go over one connection, which the first one opens
	expect   expectation
	untraced untraced
}

// untraced is an end of a link that is not traced.
type untraced int

const (
	neither untraced = iota
	theClient
	theServer
)

const (
	few  = 20
	many = 200
)

// links are all ways between two programs whose connections are known.
func links(e ends) []link {
	sequence := order{Protocol: "http1", Requests: few, AtOnce: 1}
	crowd := order{Protocol: "http1", Requests: many, AtOnce: 20}
	web := func(name, listener string, o order, change func(*link)) link {
		l := link{order: o, listener: "http " + listener}
		l.Name = "http1-" + name
		if change != nil {
			change(&l)
		}
		return l
	}
	list := []link{
		web("keep-alive", "ipv4", sequence, func(l *link) { l.one = true }),
		web("keep-alive-many", "ipv4", crowd, nil),
		web("close", "ipv4", sequence, func(l *link) { l.Close = true }),
		web("close-many", "ipv4", crowd, func(l *link) { l.Close = true }),
		web("ipv6", "ipv6", crowd, nil),
		web("dual", "dual", crowd, nil),
		web("tls", "tls", crowd, func(l *link) { l.TLS = true }),
		web("tls-close", "tls", sequence, func(l *link) { l.TLS, l.Close = true, true }),
		web("unix", "unix", crowd, nil),
		web("unix-close", "unix", sequence, func(l *link) { l.Close = true }),
		web("abstract", "abstract", crowd, nil),
		web("wrapped-client", "ipv4", crowd, func(l *link) {
			l.Wrapped, l.expect = true, wrapped(e.client)
		}),
		web("wrapped-client-unix", "unix", crowd, func(l *link) {
			l.Wrapped, l.expect = true, wrapped(e.client)
		}),
		web("wrapped-server", "wrapped", crowd, func(l *link) { l.expect = wrapped(e.server) }),
		web("wrapped-both", "wrapped", crowd, func(l *link) {
			l.Wrapped, l.expect = true, wrapped(e.client, e.server)
		}),
		web("wrapped-both-tls", "wrapped tls", crowd, func(l *link) {
			l.Wrapped, l.TLS, l.expect = true, true, wrapped(e.client, e.server)
		}),
	}
	streams := order{Requests: many, AtOnce: many}
	over := func(protocol, name, listener string, change func(*link)) {
		l := link{order: streams, listener: listener, one: true}
		l.Name, l.Protocol = protocol+"-"+name, protocol
		if change != nil {
			change(&l)
		}
		list = append(list, l)
	}
	over("http2", "tls", "http tls", func(l *link) { l.TLS = true })
	over("http2", "wrapped-both-tls", "http wrapped tls", func(l *link) {
		l.Wrapped, l.TLS, l.expect = true, true, wrapped(e.client, e.server)
	})
	if e.withoutTLS() {
		for _, listener := range []string{"ipv4", "ipv6", "dual", "unix"} {
			over("http2", listener, "http "+listener, nil)
		}
	}
	for _, protocol := range []string{"unary", "stream"} {
		for _, listener := range []string{"ipv4", "ipv6", "dual", "unix", "abstract"} {
			over(protocol, listener, "grpc "+listener, nil)
		}
		over(protocol, "tls", "grpc tls", func(l *link) { l.TLS = true })
		over(protocol, "wrapped-client", "grpc ipv4", func(l *link) {
			l.Wrapped, l.expect = true, wrapped(e.client)
		})
		over(protocol, "wrapped-server", "grpc wrapped", func(l *link) {
			l.expect = wrapped(e.server)
		})
		over(protocol, "wrapped-both-tls", "grpc wrapped tls", func(l *link) {
			l.Wrapped, l.TLS, l.expect = true, true, wrapped(e.client, e.server)
		})
	}
	return list
}

// path is that of a request.
func (l link) path(i int) string { return fmt.Sprintf("/%s/%d", l.Name, i) }

// wants are the spans of all requests.
func (l link) wants() []tree.Want {
	var wants []tree.Want
	for i := l.First; i < l.First+l.Requests; i++ {
		client, server := tree.Want{
			Name: tree.Called(l.path(i)),
		}, tree.Want{
			Name: tree.Served(l.path(i)),
		}
		if l.untraced != theClient {
			wants = append(wants, client)
			if l.expect != apart {
				server.Parent, server.OrNone = client.Name, l.expect == ifKnown
			}
		}
		if l.untraced != theServer {
			wants = append(wants, server)
		}
	}
	return wants
}
