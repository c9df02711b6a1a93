package inject

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
	carried    expectation = iota // the context of its span
	afterFirst                    // that, but for one: the buffer of a new connection has no room
	ifRoom                        // that, or nothing
	own                           // what the program itself has set
)

const (
	few  = 10
	many = 200
)

// forms are those in which programs send requests.
func (b build) forms() []string {
	list := []string{"http1", "http2"}
	if b.ownHTTP2() {
		list = append(list, "net2")
	}
	return append(list, "unary", "stream")
}

// orders are all of a form that a build of the caller can send.
func orders(b build, form string) []order {
	var list orderList
	switch form {
	case "http1":
		list.http1()
	case "http2", "net2":
		list.http2(form, form == "net2" || b.withoutTLS())
	default:
		list.grpc(form)
	}
	return list
}

type orderList []order

// add adds an order, and the same of another name over TLS.
func (l *orderList) add(form, name string, o order) {
	o.Name, o.Protocol = form+"-"+name, form
	if o.TLS {
		o.Name += "-tls"
	}
	if o.Requests == 0 {
		o.Requests = few
	}
	if o.AtOnce == 0 {
		o.AtOnce = 1
	}
	*l = append(*l, o)
}

var (
	body     = order{Body: 60_000}
	chunked  = order{Body: 40_000, Chunked: true}
	expected = order{Body: 10_000, Continue: true}
	trailers = order{Body: 10_000, Trailers: true}
	lines    = order{Lines: 60}
	crowd    = order{Requests: many, AtOnce: many}
)

func secure(o order) order {
	o.TLS = true
	return o
}

func (l *orderList) http1() {
	add := func(name string, o order) { l.add("http1", name, o) }
	add("sequence", order{})
	add("sequence", order{TLS: true})
	add("close", order{Close: true})
	add("close", order{Close: true, TLS: true})
	add("crowd", crowd)
	add("crowd", order{Requests: many, AtOnce: 10, TLS: true}) // each connection has a handshake
	add("body", body)
	add("body", order{Requests: 40, AtOnce: 10, Body: 5_000, TLS: true})
	add("chunked", chunked)
	add("continue", expected)
	add("trailers", trailers)
	add("lines", lines)
	add("own", order{Requests: 40, AtOnce: 10, Own: "set", expect: own})
	// A few bytes more each time, until nothing fits in the buffer of 4096 bytes any more.
	add("target", order{Requests: 100, AtOnce: 4, Path: 3_850, Grow: 3, expect: ifRoom})
	add("header", order{Requests: 100, AtOnce: 4, Header: 3_700, Grow: 5})
}

func (l *orderList) http2(form string, withoutTLS bool) {
	add := func(name string, o order) { l.add(form, name, o) }
	either := func(name string, o order) {
		o.TLS = !withoutTLS
		add(name, o)
	}
	add("sequence", order{TLS: true})
	add("crowd", order{Requests: many, AtOnce: many, TLS: true})
	if withoutTLS {
		add("sequence", order{})
		add("crowd", crowd)
	}
	add("body", secure(body))
	either("body-crowd", order{Requests: 40, AtOnce: 20, Body: 5_000})
	either("chunked", chunked)
	either("continue", expected)
	either("trailers", trailers)
	either("lines", lines)
	either("own", order{Requests: 40, AtOnce: 40, Own: "set", expect: own})
	// The header block is as long as there is room for, or not.
	either("header", order{Requests: 100, AtOnce: 4, Grow: 3})
	either("frame", order{Requests: 40, AtOnce: 4, Header: 19_000, Grow: 60, expect: ifRoom})
	either("continuation", order{Requests: 4, Header: 60_000, expect: ifRoom})
}

func (l *orderList) grpc(form string) {
	add := func(name string, o order) { l.add(form, name, o) }
	add("sequence", order{Body: 100, expect: afterFirst})
	add("sequence", order{Body: 100, TLS: true, expect: afterFirst})
	add("crowd", order{Requests: many, AtOnce: many, Body: 100, expect: afterFirst})
	add("crowd", order{Requests: many, AtOnce: many, Body: 100, TLS: true, expect: afterFirst})
	add("close", order{Close: true, Body: 100, expect: ifRoom})
	add("body", order{Requests: 20, AtOnce: 10, Body: 60_000, expect: afterFirst})
	add("lines", order{Lines: 60, expect: afterFirst})
	for _, way := range []string{"set", "appended"} {
		add("own-"+way, order{Requests: 40, AtOnce: 40, Own: way, expect: own})
	}
	add("header", order{Requests: 100, AtOnce: 4, Grow: 3, expect: ifRoom})
	add("frame", order{Requests: 40, AtOnce: 4, Header: 19_000, Grow: 60, expect: ifRoom})
	add("continuation", order{Requests: 4, Header: 60_000, expect: ifRoom})
}
