// Command peer serves HTTP and gRPC on listeners of every kind, and makes requests of both, of many
// forms. It knows nothing of tracing.
//
// It says the addresses that it listens on, by name. It reads orders: one a line, or one in each
// request for /relay, or in each message of a call of such a method. It answers an order with the
// errors that it had.
package main

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/lines"
)

// order is what requests to make. What is sent is the same each time.
type order struct {
	Name     string // the paths of the requests are /name/0 and so on
	First    int    // number of the first
	Requests int
	AtOnce   int // how many of them at a time

	// The connections are kept for further orders that are alike in these.
	Protocol  string // "http1", "http2", "net2" (of golang.org/x/net), "unary" or "stream"
	Network   string // "" for TCP, as the library dials it by itself
	Address   string
	TLS       bool
	Close     bool // a connection for each request
	Age       int  // the same again is over other connections
	Wrapped   bool // they are of a type that only the program knows
	LocalPort int  // of the only connection there is; 0: any
	Reset     bool // it ends with a reset, after which its address is free

	Body     int  // bytes
	Chunked  bool // its length is not told before
	Continue bool // the body waits for "100 Continue"
	Trailers bool
	Header   int    // bytes of a header's value
	Grow     int    // how many more it has in each further request
	Lines    int    // further headers
	Path     int    // bytes that are behind the path, in the query
	Own      string // "set" or "appended": the request says itself whose child it is
}

func main() {
	folder := flag.String("folder", "", "folder of unix sockets; none: there are none")
	port := flag.Int("port", 0,
		"port to serve HTTP on at any address, with gRPC on the next; 0: any")
	flag.Parse()
	lines.Serve(serve(*folder, *port), func(line string) interface{} {
		return follow(context.Background(), line)
	})
}

func (o order) path(number int) string { return fmt.Sprintf("/%s/%d", o.Name, number) }

// bytes of a number's own.
func (o order) bytes(number, length int) string {
	return strings.Repeat(fmt.Sprintf("%s-%d!", o.Name, number), length/4+1)[:length]
}

// headers are what the request of a number has, beside what its library adds.
func (o order) headers(number int) map[string]string {
	all := map[string]string{}
	if n := o.Header + number*o.Grow; n > 0 {
		all["x-long"] = o.bytes(number, n)
	}
	for i := 0; i < o.Lines; i++ {
		all[fmt.Sprintf("x-line-%d", i)] = o.bytes(number, 40)
	}
	return all
}

// own is the parent that a request says itself.
func (o order) own(number int) string {
	return fmt.Sprintf("00-%032x-%016x-01", number+1, number+1)
}
