package inject

import "fmt"

// order is one of the caller's.
type order struct {
	Name              string
	Requests, AtOnce  int
	Protocol, Address string
	TLS, Close        bool
	Age               int
	Body              int
	Chunked, Continue bool
	Trailers          bool
	Header, Grow      int
	Lines, Path       int
	Own               string

	expect expectation
}

// expectation is what a request is to arrive with.
type expectation int

const (
	carried expectation = iota // the context of its span
	ifRoom                     // that, or nothing
	own                        // what the program itself has set
)

const (
	few  = 10
	many = 200
)

// orders are all forms of requests that a build of the caller can send.
func orders(b build) []order {
	var list []order
	add := func(protocol, name string, o order) {
		o.Name, o.Protocol = protocol+"-"+name, protocol
		if o.Requests == 0 {
			o.Requests, o.AtOnce = few, 1
		}
		list = append(list, o)
	}
	crowd := order{Requests: many, AtOnce: many}
	secure := func(o order) order {
		o.TLS = true
		return o
	}
	web := func(protocol, name string, o order) {
		add(protocol, name, o)
		add(protocol, name+"-tls", secure(o))
	}
	bodies := func(way func(protocol, name string, o order), protocol string) {
		way(protocol, "sequence", order{})
		way(protocol, "crowd", crowd)
		way(protocol, "body", order{Body: 100_000})
		way(protocol, "body-crowd", order{Requests: 60, AtOnce: 20, Body: 5_000})
		way(protocol, "chunked", order{Body: 70_000, Chunked: true})
		way(protocol, "continue", order{Body: 10_000, Continue: true})
		way(protocol, "trailers", order{Body: 10_000, Trailers: true})
		way(protocol, "lines", order{Lines: 60})
		way(protocol, "own", order{Own: "set", expect: own})
	}
	bodies(web, "http1")
	web("http1", "close", order{Close: true})
	web("http1", "close-crowd", order{Requests: 60, AtOnce: 20, Close: true})
	add("http1", "own-crowd", order{Requests: 50, AtOnce: 20, Own: "set", expect: own})
	// One byte more each time, until nothing fits in the buffer of 4096 bytes any more.
	add("http1", "target", order{Requests: 120, AtOnce: 4, Path: 3_800, Grow: 3, expect: ifRoom})
	add("http1", "header", order{Requests: 120, AtOnce: 4, Header: 3_700, Grow: 3})

	streams := func(protocol string, way func(protocol, name string, o order)) {
		bodies(way, protocol)
		add(protocol, "own-crowd-tls", order{Requests: 50, AtOnce: 50, TLS: true, Own: "set", expect: own})
		// The field before the last of the block is as long as the block has room, or not.
		way(protocol, "header", order{Requests: 150, AtOnce: 4, Grow: 2, expect: ifRoom})
		way(protocol, "frame", order{Requests: 60, AtOnce: 4, Header: 19_000, Grow: 40, expect: ifRoom})
		way(protocol, "continuation", order{Header: 60_000, expect: ifRoom})
	}
	withTLS := func(protocol, name string, o order) { add(protocol, name+"-tls", secure(o)) }
	if b.withoutTLS() {
		streams("http2", web)
	} else {
		streams("http2", withTLS)
	}
	if b.ownHTTP2() {
		streams("net2", web)
	}
	for _, protocol := range []string{"unary", "stream"} {
		web(protocol, "sequence", order{Body: 100})
		web(protocol, "crowd", order{Requests: many, AtOnce: many, Body: 100})
		add(protocol, "close", order{Close: true, Body: 100})
		add(protocol, "body", order{Requests: 50, AtOnce: 10, Body: 100_000})
		add(protocol, "lines", order{Lines: 60})
		for _, way := range []string{"set", "appended"} {
			add(protocol, "own-"+way, order{Own: way, expect: own})
			add(protocol, fmt.Sprintf("own-%s-crowd", way), order{Requests: 50, AtOnce: 50, Own: way, expect: own})
		}
		add(protocol, "header", order{Requests: 150, AtOnce: 4, Grow: 2, expect: ifRoom})
		add(protocol, "frame", order{Requests: 60, AtOnce: 4, Header: 19_000, Grow: 40, expect: ifRoom})
		add(protocol, "continuation", order{Header: 60_000, expect: ifRoom})
	}
	return list
}
