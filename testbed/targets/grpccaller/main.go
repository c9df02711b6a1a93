// Command grpccaller makes gRPC calls on demand: it reads one order a line, and
// answers with what came of it. It knows nothing of tracing, and is built with
// each release of google.golang.org/grpc that is supported.
package main

import "github.com/spanprobe/spanprobe/testbed/targets/shared/lines"

// order is what to do. Times are in milliseconds.
type order struct {
	Target   string // as gRPC is given it
	Method   string // "/service/method"
	Kind     string // "unary", "server", "client" or "bidi"
	Metadata map[string]string
	// Parent is who adds a traceparent to the metadata: "program", "interceptor" or
	// "stats handler".
	Parent  string
	Timeout int  // 0: none
	Cancel  int  // when to cancel the call; 0: never
	Wait    bool // for a connection, however long it takes
	MaxSend int  // how large a message may be; 0: as gRPC has it
	// Leave is what becomes of a stream after its first message, if it is not read
	// to its end: "cancelled" or "open".
	Leave string

	// What the connection is like, which is kept for further orders.
	TLS         bool
	Config      string // the service config
	Interceptor bool   // calls go through one
	Stats       bool   // a stats handler puts something into their contexts
	Wrapped     bool   // the connection is of a type that only the program knows

	// Close is when to close the connection, which then is the order's own; -1:
	// before the call, 0: never.
	Close int

	// Begin is to answer at once: an order of the kind "begun" asks what came of it.
	Begin bool

	// Many is to make calls of this kind from several goroutines at a time, each over
	// one of several connections. A number comes behind the method of each, and
	// the same modulo 17 is the status that it asks for.
	Many struct{ Goroutines, Calls, Connections int }
}

// outcome is what came of a call.
type outcome struct {
	Method     string
	Start, End int64 // Unix time in nanoseconds
	Code       int
	Error      string
	Network    string // of the peer; "": there was none
	Peer       string
	Ended      []int // the status of each end that a stats handler saw
}

func main() {
	begun := make(chan []outcome) // has what came of the order that was begun
	lines.Serve("ready", func(line string) interface{} {
		var o order
		lines.Parse(line, &o)
		switch {
		case o.Begin:
			go func() { begun <- do(o) }()
			return nil
		case o.Kind == "begun":
			return <-begun
		}
		return do(o)
	})
}
